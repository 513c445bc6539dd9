import { isMusterError } from "@muster/shared/errors";
import { TPM_RH } from "@muster/shared/tpm/constants";
import { checkAttestationKey } from "@muster/shared/tpm/key-fitness";
import { encodePublic, parsePublic } from "@muster/shared/tpm/public-area";
import type { Channel } from "../channel.ts";
import { hasP256 } from "../commands/capability.ts";
import { createPrimary, evictControl, type KeyInTpm, readPublic } from "../commands/object.ts";
import { flushContext } from "../commands/session.ts";
import { isRefusal, TpmRefusal } from "../refusal.ts";
import { AK_ECC_P256, AK_RSA_2048 } from "./templates.ts";

/** Among those that the owner gives out (registry of reserved TPM 2.0 handles): nobody else's. */
const AK_HANDLE = 0x81024d01;

/**
 * The attestation key of Muster: a primary key of the endorsement hierarchy, so that the same comes out whenever it
 * is made, whatever happens to the disk. It is kept in the TPM where there is room, because making it takes long.
 * @throws MusterError of the family `tpm.`
 */
export async function findAttestationKey(channel: Channel): Promise<KeyInTpm> {
  const kept = await keptKey(channel);
  if (kept === "none" || kept === "another's") {
    const template = (await hasP256(channel)) ? AK_ECC_P256 : AK_RSA_2048;
    const key = await createPrimary(channel, TPM_RH.ENDORSEMENT, encodePublic(template));
    return kept === "none" ? keep(channel, key) : key;
  }
  return kept;
}

async function keptKey(channel: Channel): Promise<KeyInTpm | "none" | "another's"> {
  try {
    const key = await readPublic(channel, AK_HANDLE);
    checkAttestationKey(parsePublic(key.public));
    return key;
  } catch (error) {
    if (isRefusal(error, "HANDLE")) return "none";
    if (isMusterError(error, "tpm.key-unfit") || isMusterError(error, "tpm.malformed")) return "another's";
    throw error;
  }
}

async function keep(channel: Channel, key: KeyInTpm): Promise<KeyInTpm> {
  try {
    await evictControl(channel, TPM_RH.OWNER, key, AK_HANDLE);
  } catch (error) {
    // The owner has a password, or there is no room: then it is made anew at every start.
    if (error instanceof TpmRefusal) return key;
    throw error;
  }
  await flushContext(channel, key.handle);
  return { ...key, handle: AK_HANDLE };
}
