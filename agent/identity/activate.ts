import { createPublicKey } from "node:crypto";
import type { ActivateRequest, ActivationChallenge, TpmIdentity } from "@muster/shared/protocol/device-api";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { activationProof } from "@muster/shared/trust/activation";
import { sha256 } from "@muster/shared/trust/digest";
import { postBound } from "../link/bound-request.ts";
import type { Tpm } from "../tpm/face.ts";
import type { DeviceKeys } from "./keys.ts";

/** What enrollment needs of a TPM. */
export type EnrollingTpm = Pick<Tpm, "endorsement" | "attestationKey" | "activateCredential">;

/** How many certificates an enrollment carries. */
const MOST_CERTIFICATES = 8;

/** What the TPM says of itself; all of it is public. @throws MusterError of the `tpm.` family */
export async function tpmIdentityOf(tpm: EnrollingTpm): Promise<TpmIdentity> {
  const { public: ekPublic, certificates } = await tpm.endorsement();
  const { public: akPublic } = await tpm.attestationKey();
  return {
    ekPublic: ekPublic.toString("base64"),
    ekCertificates: certificates.slice(0, MOST_CERTIFICATES).map((der) => der.toString("base64")),
    akPublic: akPublic.toString("base64"),
  };
}

/** Who answers a challenge, and where. */
export interface ActivationOrder {
  server: string;
  ca: string;
  /** Id of the join token. */
  token: string;
  timeoutMs: number;
}

/**
 * Answers a challenge: the TPM gets the secret out, and the proof ties it to the keys of this device and to the very
 * connection that carries it.
 * @returns the answer of the control plane, JSON
 * @throws MusterError of the families `tpm.`, `enrollment.`, `request.` and `certificate.`
 */
export async function answerChallenge(
  keys: DeviceKeys,
  tpm: EnrollingTpm,
  { challenge }: ActivationChallenge,
  { server, ca, token, timeoutMs }: ActivationOrder,
): Promise<string> {
  const secret = await tpm.activateCredential(
    Buffer.from(challenge.credentialBlob, "base64"),
    Buffer.from(challenge.encryptedSecret, "base64"),
  );
  const { name: ekName } = await tpm.endorsement();
  const { name: akName } = await tpm.attestationKey();
  const spki = createPublicKey(keys.tlsKey).export({ type: "spki", format: "der" });
  const way = { server, path: DEVICE_API.activate, tls: { ca }, timeoutMs };
  return await postBound(
    way,
    (exporter): ActivateRequest => ({
      id: challenge.id,
      proof: activationProof(secret, {
        challenge: challenge.id,
        tlsKey: sha256(spki),
        signingKey: keys.signing.publicKey,
        sealingKey: keys.sealing.publicKey,
        ekName: ekName.toString("hex"),
        akName: akName.toString("hex"),
        token,
        exporter: exporter.toString("hex"),
      }),
    }),
  );
}
