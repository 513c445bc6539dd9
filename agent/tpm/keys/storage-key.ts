import { isMusterError } from "@muster/shared/errors";
import { TPM_RH } from "@muster/shared/tpm/constants";
import { checkEndorsementKey as checkStorageKey } from "@muster/shared/tpm/key-fitness";
import { encodePublic, parsePublic } from "@muster/shared/tpm/public-area";
import type { Channel } from "../channel.ts";
import { hasP256 } from "../commands/capability.ts";
import { createPrimary, type KeyInTpm, readPublic } from "../commands/object.ts";
import { isRefusal } from "../refusal.ts";
import { SRK_ECC_P256, SRK_RSA_2048 } from "./templates.ts";

/** Where the first who needs one keeps a storage key (registry of reserved TPM 2.0 handles). */
const SHARED_HANDLE = 0x81000001;

/**
 * The storage key of the owner from the template that everybody uses: the same until the TPM is cleared. It is made
 * anew at its first use after a start, because one that somebody keeps in the TPM may be gone tomorrow; only where the
 * owner has a password is that one taken.
 * @throws MusterError of the family `tpm.`
 */
export async function findStorageKey(channel: Channel): Promise<KeyInTpm> {
  const template = (await hasP256(channel)) ? SRK_ECC_P256 : SRK_RSA_2048;
  try {
    return await createPrimary(channel, TPM_RH.OWNER, encodePublic(template));
  } catch (error) {
    if (!isRefusal(error, "AUTH_FAIL", "BAD_AUTH")) throw error;
    const kept = await keptKey(channel);
    if (!kept) throw error;
    return kept;
  }
}

/** Undefined where there is none, or one that is no storage key. */
async function keptKey(channel: Channel): Promise<KeyInTpm | undefined> {
  try {
    const key = await readPublic(channel, SHARED_HANDLE);
    checkStorageKey(parsePublic(key.public));
    return key;
  } catch (error) {
    const isNone = isRefusal(error, "HANDLE");
    if (isNone || isMusterError(error, "tpm.key-unfit") || isMusterError(error, "tpm.malformed"))
      return undefined;
    throw error;
  }
}
