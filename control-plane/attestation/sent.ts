import { gzipSync } from "node:zlib";
import { isMusterError, MusterError } from "@muster/shared/errors";
import { type Evidence, isEvidenceBy } from "@muster/shared/protocol/evidence";
import { sha256 } from "@muster/shared/trust/digest";
import { unpack } from "./appraisal/unpack.ts";

/**
 * Checks who signed evidence.
 * @param signingKey of the enrolled device, hex
 * @throws MusterError `attestation.signature-invalid`
 */
export function requireSignature(evidence: Evidence, signingKey: string): void {
  const keyId = sha256(Buffer.from(signingKey, "hex")).slice(7, 23);
  try {
    if (isEvidenceBy(evidence, { [keyId]: signingKey })) return;
  } catch (error) {
    // A key that nobody may be trusted by.
    if (!isMusterError(error)) throw error;
  }
  throw new MusterError("attestation.signature-invalid");
}

interface SentLog {
  readonly digest: string;
  readonly content: Buffer;
  /** The same with gzip, to be kept. */
  readonly packed: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** The boot log that came with the evidence; one that cannot be unpacked is judged as an empty one. */
export function sentBootLog({ payload }: Evidence): SentLog | undefined {
  const sent = payload.tpm?.bootLog?.gzip;
  if (sent === null || sent === undefined) return undefined;
  const packed = Buffer.from(sent, "base64");
  const content = unpackedOr(packed, undefined);
  return content
    ? { digest: sha256(content), content, packed }
    : { digest: sha256(NOTHING), content: NOTHING, packed: gzipSync(NOTHING) };
}

/** A log that was kept packed; null where it cannot be unpacked any more. */
export const keptLog = (packed: Buffer | undefined): Uint8Array | null =>
  packed ? unpackedOr(packed, null) : null;

function unpackedOr<T>(packed: Uint8Array, other: T): Buffer | T {
  try {
    return unpack(packed);
  } catch (error) {
    if (isMusterError(error)) return other;
    throw error;
  }
}

/** What is kept of evidence: logs are kept by their digest, and what was found in them in the history. */
export function withoutLogs(evidence: Evidence): Evidence {
  const { payload } = evidence;
  const { tpm } = payload;
  if (!tpm) return evidence;
  const bootLog = tpm.bootLog && { ...tpm.bootLog, gzip: null };
  const ima = tpm.ima && { ...tpm.ima, gzip: null };
  return { ...evidence, payload: { ...payload, tpm: { ...tpm, bootLog, ima } } };
}
