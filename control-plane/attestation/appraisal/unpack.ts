import { gunzipSync } from "node:zlib";
import { MusterError } from "@muster/shared/errors";
import { MOST_UNPACKED_BYTES } from "@muster/shared/protocol/evidence";

/**
 * Content of a packed log.
 * @throws MusterError `attestation.log-malformed`, also where it unpacks to more than is taken
 */
export function unpack(base64: string): Buffer {
  try {
    return gunzipSync(Buffer.from(base64, "base64"), { maxOutputLength: MOST_UNPACKED_BYTES });
  } catch (cause) {
    throw new MusterError(
      "attestation.log-malformed",
      `The log is not packed with gzip, or has more than ${MOST_UNPACKED_BYTES} bytes.`,
      { cause },
    );
  }
}
