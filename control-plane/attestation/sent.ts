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

/** The boot log that came with the evidence; one that cannot be unpacked is judged as an empty one. */
export function sentBootLog({ payload }: Evidence): { digest: string; content: Buffer } | undefined {
  const packed = payload.tpm?.bootLog?.gzip;
  if (packed === null || packed === undefined) return undefined;
  const content = unpackedOr(packed, Buffer.alloc(0));
  return { digest: sha256(content), content };
}

/** A log that was kept packed; null where it cannot be unpacked any more. */
export const keptLog = (packed: Buffer | undefined): Uint8Array | null =>
  packed ? unpackedOr(packed.toString("base64"), null) : null;

function unpackedOr<T>(packed: string, other: T): Buffer | T {
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
