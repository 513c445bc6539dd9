import { gunzipSync } from "node:zlib";
import { MusterError } from "@muster/shared/errors";
import { MOST_UNPACKED_BYTES } from "@muster/shared/protocol/evidence";

/**
 * Content of a packed log.
 * @throws MusterError `attestation.log-malformed`, also where it unpacks to more than is taken
 */
export function unpack(packed: Uint8Array): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: MOST_UNPACKED_BYTES });
  } catch (cause) {
    throw new MusterError(
      "attestation.log-malformed",
      `The log is not packed with gzip, or has more than ${MOST_UNPACKED_BYTES} bytes.`,
      { cause },
    );
  }
}
