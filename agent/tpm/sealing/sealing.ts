import { createCipheriv, createDecipheriv } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import { TPM_ALG, TPM_CC, TPMA_OBJECT } from "@muster/shared/tpm/constants";
import { digestOf, HASH_SIZE, hashId } from "@muster/shared/tpm/hash";
import { TpmWriter } from "@muster/shared/tpm/wire";
import type { Channel } from "../channel.ts";
import { create, type KeyInTpm, load } from "../commands/object.ts";
import { selectionOf } from "../commands/pcr.ts";
import { policyPcr } from "../commands/policy.ts";
import { flushContext } from "../commands/session.ts";
import { unseal as unsealCommand } from "../commands/unseal.ts";
import type { PcrChoice } from "../face.ts";
import { isRefusal } from "../refusal.ts";
import type { Random } from "../sessions/session.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { encodeBlob, encodeHead, MOST_SEALED_BYTES, parseBlob, type SealedBlob } from "./blob.ts";

const HASH = "sha256";
const KEY_SIZE = 32;
const TAG_SIZE = 16;
/** Each key encrypts once, so its nonce need not differ. */
const NONCE = Buffer.alloc(12);
const MOST_TRIES = 4;

interface SealingParts {
  readonly channel: Channel;
  readonly sessions: Sessions;
  readonly random: Random;
  /** The storage key, loaded. */
  readonly parent: KeyInTpm;
}

/**
 * The TPM seals a key, and the key the bytes, with AES-256-GCM: so they may be longer than the 128 that a TPM takes.
 * @param values of the PCRs that it is bound to, in ascending order; null binds to none
 * @throws MusterError of the family `tpm.`
 */
export async function seal(
  { channel, sessions, random, parent }: SealingParts,
  data: Uint8Array,
  bound: { pcrs: PcrChoice; values: readonly Buffer[] } | null,
): Promise<Buffer> {
  if (data.length > MOST_SEALED_BYTES)
    throw new MusterError(
      "tpm.failed",
      `At most ${MOST_SEALED_BYTES} bytes can be sealed, not ${data.length}.`,
    );
  const key = random(KEY_SIZE);
  const template = templateOf(bound ? policyOf(bound.pcrs, bound.values) : null);
  const object = await sessions.salted("hmac", parent, (session) =>
    create(channel, parent, session, template, key),
  );
  const head = encodeHead({ parent: parent.name, object, pcrs: bound?.pcrs ?? null });
  const cipher = createCipheriv("aes-256-gcm", key, NONCE).setAAD(head);
  const encrypted = Buffer.concat([cipher.update(data), cipher.final()]);
  return encodeBlob({ head, tag: cipher.getAuthTag(), data: encrypted });
}

/** @throws MusterError `tpm.seal-broken`, `tpm.seal-foreign`, `tpm.policy-failed` and others of the family */
export async function unseal(parts: SealingParts, bytes: Uint8Array): Promise<Buffer> {
  const blob = parseBlob(bytes);
  if (!blob.parent.equals(parts.parent.name)) throw new MusterError("tpm.seal-foreign");
  const key = await unsealKey(parts, blob);
  if (key.length !== KEY_SIZE || blob.tag.length !== TAG_SIZE) throw new MusterError("tpm.seal-broken");
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, NONCE).setAAD(blob.head).setAuthTag(blob.tag);
    return Buffer.concat([decipher.update(blob.data), decipher.final()]);
  } catch (cause) {
    throw new MusterError("tpm.seal-broken", undefined, { cause });
  }
}

async function unsealKey({ channel, sessions, parent }: SealingParts, blob: SealedBlob): Promise<Buffer> {
  const { pcrs } = blob;
  let handle: number | undefined;
  try {
    const object = await load(channel, parent, blob.object);
    handle = object.handle;
    if (!pcrs)
      return await sessions.salted("hmac", parent, (session) => unsealCommand(channel, object, session));
    for (let tries = 1; ; tries++) {
      try {
        return await sessions.salted("policy", parent, async (session) => {
          await policyPcr(channel, session, pcrs);
          return unsealCommand(channel, object, session);
        });
      } catch (error) {
        if (!isRefusal(error, "PCR_CHANGED") || tries === MOST_TRIES) throw error;
      }
    }
  } catch (cause) {
    if (isRefusal(cause, "POLICY_FAIL") && pcrs)
      throw new MusterError(
        "tpm.policy-failed",
        `What was sealed stays shut: PCR ${pcrs.indices.join(", ")} (${pcrs.bank}) are not what they were then.`,
        { cause },
      );
    if (isRefusal(cause, "INTEGRITY", "SIZE", "HASH", "VALUE", "ATTRIBUTES"))
      throw new MusterError("tpm.seal-broken", undefined, { cause });
    throw cause;
  } finally {
    if (handle !== undefined) await flushContext(channel, handle).catch(() => {});
  }
}

/** TPM2B_PUBLIC of a sealed object (part 2, 12.2.3); with a policy its password opens nothing. */
function templateOf(policy: Buffer | null): Buffer {
  const { FIXED_TPM, FIXED_PARENT, NO_DA, USER_WITH_AUTH } = TPMA_OBJECT;
  const area = new TpmWriter()
    .u16(TPM_ALG.KEYEDHASH)
    .u16(hashId(HASH))
    .u32(FIXED_TPM | FIXED_PARENT | NO_DA | (policy ? 0 : USER_WITH_AUTH))
    .sized(policy ?? Buffer.alloc(0))
    .u16(TPM_ALG.NULL)
    .sized(Buffer.alloc(0))
    .build();
  return new TpmWriter().sized(area).build();
}

/** What PolicyPCR makes of an empty policy (part 3, 23.7). */
const policyOf = (pcrs: PcrChoice, values: readonly Buffer[]): Buffer =>
  digestOf(
    HASH,
    Buffer.alloc(HASH_SIZE[HASH]),
    new TpmWriter().u32(TPM_CC.PolicyPCR).build(),
    selectionOf(pcrs),
    digestOf(HASH, ...values),
  );
