import { isMusterError } from "@muster/shared/errors";
import { TPM_RH } from "@muster/shared/tpm/constants";
import { COORDINATE_SIZE, padded } from "@muster/shared/tpm/curve";
import { checkEndorsementKey } from "@muster/shared/tpm/key-fitness";
import { encodePublic, parsePublic } from "@muster/shared/tpm/public-area";
import { TpmWriter } from "@muster/shared/tpm/wire";
import type { Channel } from "../channel.ts";
import { handlesBetween, hasP256 } from "../commands/capability.ts";
import { createPrimary, type KeyInTpm, readPublic } from "../commands/object.ts";
import { flushContext } from "../commands/session.ts";
import { isRefusal } from "../refusal.ts";
import { certificatesIn } from "./der.ts";
import { EK_CHAIN, EK_HANDLES, EK_PROFILES, type EkProfile, withNonce } from "./ek-profiles.ts";
import { readMemory } from "./nv-memory.ts";
import { EK_ECC_P256, EK_RSA_2048 } from "./templates.ts";

/** Keys that are looked at: no TPM has room for more. */
const MOST_KEPT = 64;
/** Most bytes of the intermediate certificates. */
const MOST_CHAIN_BYTES = 64 * 1024;

export interface FoundEndorsement {
  readonly key: KeyInTpm;
  /** Its own certificate and then the intermediate ones, DER. */
  readonly certificates: readonly Buffer[];
}

/**
 * Looks for the endorsement key that the best certificate of this TPM is about, else makes the one of the default
 * template. The key is loaded, at a transient handle where it is not kept.
 * @throws MusterError of the family `tpm.`
 */
export async function findEndorsement(channel: Channel): Promise<FoundEndorsement> {
  const kept = await keptKeys(channel);
  for (const profile of EK_PROFILES) {
    const [certificate] = certificatesIn((await readMemory(channel, profile.certificate)) ?? Buffer.alloc(0));
    if (!certificate) continue;
    // Before the key, which would stay loaded where this fails.
    const more = await chain(channel);
    const key =
      kept.find((candidate) => isAbout(certificate, candidate)) ??
      (await make(channel, profile, certificate));
    if (key) return { key, certificates: [certificate, ...more] };
  }
  return { key: await uncertified(channel, kept), certificates: [] };
}

/** Endorsement keys that somebody made persistent. */
async function keptKeys(channel: Channel): Promise<KeyInTpm[]> {
  const keys: KeyInTpm[] = [];
  const handles = await handlesBetween(channel, EK_HANDLES.first, EK_HANDLES.last);
  for (const handle of handles.slice(0, MOST_KEPT)) {
    const key = await readPublic(channel, handle);
    if (isEndorsementKey(key)) keys.push(key);
  }
  return keys;
}

function isEndorsementKey({ public: area }: KeyInTpm): boolean {
  try {
    checkEndorsementKey(parsePublic(area));
    return true;
  } catch (error) {
    if (isMusterError(error, "tpm.key-unfit") || isMusterError(error, "tpm.malformed")) return false;
    throw error;
  }
}

/** The bytes of the key stand in its certificate, whichever of the two ids for RSA keys its maker wrote before them. */
function isAbout(certificate: Buffer, { public: bytes }: KeyInTpm): boolean {
  const area = parsePublic(bytes);
  if (area.type === "rsa") return certificate.includes(area.modulus);
  const size = COORDINATE_SIZE[area.curve];
  return certificate.includes(Buffer.concat([padded(area.x, size), padded(area.y, size)]));
}

/** Makes the key of a certificate from its maker's template or the standard one; undefined where neither gives it. */
async function make(
  channel: Channel,
  profile: EkProfile,
  certificate: Buffer,
): Promise<KeyInTpm | undefined> {
  for (const template of await templatesOf(channel, profile)) {
    const key = await createPrimary(channel, TPM_RH.ENDORSEMENT, template);
    if (isAbout(certificate, key)) return key;
    await flushContext(channel, key.handle);
  }
  return undefined;
}

/** TPM2B_PUBLIC of every template that its maker may have meant. */
async function templatesOf(channel: Channel, profile: EkProfile): Promise<Buffer[]> {
  const own = await readMemory(channel, profile.template);
  const nonce = profile.nonce === null ? undefined : await readMemory(channel, profile.nonce);
  const bare = [...(own ? [own] : []), encodePublic(profile.standard).subarray(2)];
  const filled = nonce ? bare.map((template) => withNonce(template, nonce, profile)) : [];
  return [...filled, ...bare].map((template) => new TpmWriter().sized(template).build());
}

/** Without a certificate any endorsement key is as good: it has to be the same for ever. */
async function uncertified(channel: Channel, kept: readonly KeyInTpm[]): Promise<KeyInTpm> {
  const template = (await hasP256(channel)) ? EK_ECC_P256 : EK_RSA_2048;
  try {
    return await createPrimary(channel, TPM_RH.ENDORSEMENT, encodePublic(template));
  } catch (error) {
    // The hierarchy has a password: then only what was made persistent before can be used.
    if (isRefusal(error, "AUTH_FAIL", "BAD_AUTH") && kept[0]) return kept[0];
    throw error;
  }
}

async function chain(channel: Channel): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  let length = 0;
  for (const index of await handlesBetween(channel, EK_CHAIN.first, EK_CHAIN.last)) {
    const part = (await readMemory(channel, index)) ?? Buffer.alloc(0);
    length += part.length;
    if (length > MOST_CHAIN_BYTES) break;
    parts.push(part);
  }
  return certificatesIn(Buffer.concat(parts));
}
