import { MusterError } from "@muster/shared/errors";

/** Tag, size and response code (part 1, 18.9). */
const HEADER_SIZE = 10;

/** Most bytes of an answer: TPM_PT_MAX_RESPONSE_SIZE of every known TPM is 4096. */
export const MOST_ANSWER_BYTES = 4096;

/**
 * Length of the answer that begins with these bytes; undefined while its header is not whole.
 * @throws MusterError `tpm.malformed` for a length that no answer has, or where more came than it says
 */
export function answerLength(bytes: Buffer): number | undefined {
  if (bytes.length < HEADER_SIZE) return undefined;
  const size = bytes.readUInt32BE(2);
  if (size < HEADER_SIZE || size > MOST_ANSWER_BYTES)
    throw new MusterError("tpm.malformed", `The TPM announced an answer of ${size} bytes.`);
  if (bytes.length > size)
    throw new MusterError("tpm.malformed", `The TPM sent ${bytes.length - size} bytes behind its answer.`);
  return size;
}

/** True once these bytes are one whole answer. @throws MusterError `tpm.malformed` */
export const isWhole = (bytes: Buffer): boolean => bytes.length === answerLength(bytes);
