import { createHmac } from "node:crypto";
import type { Digest } from "../protocol/primitives.ts";
import { canonicalJson } from "./canonical-json.ts";

const DOMAIN = "muster/enroll/v1";

/** Keying material of the very connection that carries the proof (RFC 5705, RFC 8446 section 7.5). */
export const ENROLL_EXPORTER = { label: "EXPORTER-muster-enroll", bytes: 32 } as const;

/** Everything that a proof of activation binds together: none of it can be exchanged afterwards. Names and keys hex. */
export interface ActivationTranscript {
  /** Id of the challenge. */
  readonly challenge: string;
  /** Digest of the SubjectPublicKeyInfo of the certificate request's key. */
  readonly tlsKey: Digest;
  readonly signingKey: string;
  readonly sealingKey: string;
  /** Names of the endorsement and of the attestation key (TPM 2.0 part 1, 16). */
  readonly ekName: string;
  readonly akName: string;
  /** Id of the join token. */
  readonly token: string;
  /** `ENROLL_EXPORTER` of the connection. */
  readonly exporter: string;
}

/** HMAC-SHA256 of the transcript with the activated secret, hex: the secret itself never travels back. */
export function activationProof(secret: Uint8Array, transcript: ActivationTranscript): string {
  return createHmac("sha256", secret)
    .update(`${DOMAIN}\n${canonicalJson(transcript)}`)
    .digest("hex");
}
