import { MusterError } from "@muster/shared/errors";
import { TPM_RH, TPMA_NV } from "@muster/shared/tpm/constants";
import { type Channel, entityOf } from "../channel.ts";
import { type NvIndex, nvRead, nvReadPublic } from "../commands/nv.ts";
import { isRefusal } from "../refusal.ts";
import { EMPTY_PASSWORD } from "../sessions/session.ts";

/** Every TPM gives as much at once (TPM_PT_NV_BUFFER_MAX of the PC client profile is 512 at least). */
const AT_ONCE = 512;
/** Most bytes of one index: a certificate or a part of a chain. */
const MOST_BYTES = 16 * 1024;

/** Public area of an index; undefined where it is not defined. */
export async function findIndex(channel: Channel, index: number): Promise<NvIndex | undefined> {
  try {
    return await nvReadPublic(channel, index);
  } catch (error) {
    if (isRefusal(error, "HANDLE", "VALUE")) return undefined;
    throw error;
  }
}

/**
 * The whole content of an index that may be read without a password; undefined where it is not there, was never
 * written or may not be read.
 * @throws MusterError `tpm.malformed` where it is larger than anything that Muster looks for
 */
export async function readMemory(channel: Channel, index: number): Promise<Buffer | undefined> {
  const found = await findIndex(channel, index);
  if (!found || (found.attributes & TPMA_NV.WRITTEN) === 0) return undefined;
  if (found.size > MOST_BYTES)
    throw new MusterError(
      "tpm.malformed",
      `The NV index 0x${index.toString(16)} has ${found.size} bytes: no certificate is as large.`,
    );
  const isOpen = (found.attributes & TPMA_NV.AUTHREAD) !== 0;
  if (!isOpen && (found.attributes & TPMA_NV.OWNERREAD) === 0) return undefined;
  const by = isOpen ? found : entityOf(TPM_RH.OWNER);
  const parts: Buffer[] = [];
  for (let offset = 0; offset < found.size; offset += AT_ONCE) {
    const size = Math.min(AT_ONCE, found.size - offset);
    const part = await nvRead(channel, by, found, EMPTY_PASSWORD, { size, offset });
    if (part.length !== size)
      throw new MusterError("tpm.malformed", `The TPM gave ${part.length} bytes instead of ${size}.`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
