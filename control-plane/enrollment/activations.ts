import { randomBytes, timingSafeEqual } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { ActivateRequest, ActivationChallenge, EnrollRequest } from "@muster/shared/protocol/device-api";
import { makeCredential } from "@muster/shared/tpm/credential";
import { type ActivationTranscript, activationProof } from "@muster/shared/trust/activation";
import type { CheckedRequest } from "./csr.ts";
import type { TpmClaim } from "./tpm-claim.ts";

/** An enrollment that waits for its proof. */
export interface PendingEnrollment {
  readonly request: EnrollRequest;
  readonly checked: CheckedRequest;
  readonly claim: TpmClaim;
  readonly token: string;
}

interface Waiting extends PendingEnrollment {
  readonly secret: Buffer;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

const SECRET_BYTES = 32;
/** A TPM needs seconds at most; some boxes have a slow line. */
const LIFETIME_MS = 120_000;
/** One challenge keeps about 20 KiB. */
const MOST_WAITING = 2_048;
/** Challenges of one join token: whoever has it cannot keep those with another one out. */
const MOST_OF_TOKEN = 256;

/**
 * Challenges that devices with a TPM have to answer, each good for one try. They are kept in memory: after a restart
 * of the control plane a device begins anew.
 */
export class Activations {
  readonly #waiting = new Map<string, Waiting>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A challenge that only the TPM with both keys of the claim can answer.
   * @throws MusterError `enrollment.challenges-full`, `tpm.malformed`
   */
  challenge(pending: PendingEnrollment): ActivationChallenge {
    const now = this.#now();
    this.#makeRoom(pending.token, now);
    const id = randomBytes(18).toString("base64url");
    const secret = randomBytes(SECRET_BYTES);
    const akName = Buffer.from(pending.claim.akName, "hex");
    const { credentialBlob, encryptedSecret } = makeCredential(pending.claim.ek, akName, secret, randomBytes);
    const notAfter = now + LIFETIME_MS;
    this.#waiting.set(id, { ...pending, secret, notAfter });
    return {
      challenge: {
        id,
        credentialBlob: credentialBlob.toString("base64"),
        encryptedSecret: encryptedSecret.toString("base64"),
        notAfter,
      },
    };
  }

  /**
   * Ends a challenge, whether the answer is right or not.
   * @param exporter keying material of the connection that carried the answer
   * @throws MusterError `enrollment.challenge-unknown`, `enrollment.challenge-expired`, `enrollment.proof-invalid`
   */
  answer({ id, proof }: ActivateRequest, exporter: Uint8Array): PendingEnrollment {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (!waiting) throw new MusterError("enrollment.challenge-unknown");
    if (waiting.notAfter <= this.#now()) throw new MusterError("enrollment.challenge-expired");
    const { request, checked, claim, token, secret } = waiting;
    const transcript: ActivationTranscript = {
      challenge: id,
      tlsKey: checked.keyDigest,
      signingKey: request.signingKey,
      sealingKey: request.sealingKey,
      ekName: claim.ekName,
      akName: claim.akName,
      token,
      exporter: Buffer.from(exporter).toString("hex"),
    };
    const wanted = Buffer.from(activationProof(secret, transcript), "hex");
    if (!timingSafeEqual(wanted, Buffer.from(proof, "hex")))
      throw new MusterError("enrollment.proof-invalid");
    return { request, checked, claim, token };
  }

  #makeRoom(token: string, now: number): void {
    // They end in the order in which they began.
    for (const [id, { notAfter }] of this.#waiting) {
      if (notAfter > now - LIFETIME_MS) break;
      this.#waiting.delete(id);
    }
    const ofToken = [...this.#waiting].filter(([, waiting]) => waiting.token === token);
    const [oldest] = ofToken;
    if (ofToken.length >= MOST_OF_TOKEN && oldest) this.#waiting.delete(oldest[0]);
    if (this.#waiting.size < MOST_WAITING) return;
    const [first] = this.#waiting;
    if (first && first[1].notAfter <= now) this.#waiting.delete(first[0]);
    else throw new MusterError("enrollment.challenges-full");
  }
}
