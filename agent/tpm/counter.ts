import { MusterError } from "@muster/shared/errors";
import { TPM_RH, TPMA_NV } from "@muster/shared/tpm/constants";
import type { Channel } from "./channel.ts";
import { type NvIndex, nvDefine, nvIncrement, nvRead } from "./commands/nv.ts";
import type { KeyInTpm } from "./commands/object.ts";
import { findIndex } from "./keys/nv-memory.ts";
import type { Sessions } from "./sessions/sessions.ts";

/** Among those that the owner gives out (registry of reserved TPM 2.0 handles): nobody else's. */
const COUNTER_INDEX = 0x01814d01;
const COUNTER_SIZE = 8;
const ATTRIBUTES = TPMA_NV.TYPE_COUNTER | TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.NO_DA;

interface CounterParts {
  readonly channel: Channel;
  readonly sessions: Sessions;
  /** Salts the session by which it is read, so that nobody on the bus can tell an older value. */
  readonly storageKey: KeyInTpm;
}

/** @returns its value; one that was never there begins where no earlier counter of this TPM has been */
export async function readCounter(parts: CounterParts): Promise<bigint> {
  const index = await existing(parts.channel);
  if ((index.attributes & TPMA_NV.WRITTEN) !== 0) return contentOf(parts, index);
  return incrementCounter(parts);
}

/** @returns the new value */
export async function incrementCounter(parts: CounterParts): Promise<bigint> {
  await nvIncrement(parts.channel, await existing(parts.channel));
  // The name of an index covers whether it was ever written.
  return contentOf(parts, await existing(parts.channel));
}

async function existing(channel: Channel): Promise<NvIndex> {
  const found = await findIndex(channel, COUNTER_INDEX);
  if (!found) {
    await nvDefine(channel, TPM_RH.OWNER, {
      handle: COUNTER_INDEX,
      attributes: ATTRIBUTES,
      size: COUNTER_SIZE,
    });
    return existing(channel);
  }
  if ((found.attributes & ~TPMA_NV.WRITTEN) !== ATTRIBUTES || found.size !== COUNTER_SIZE)
    throw new MusterError(
      "tpm.failed",
      `Another program uses the NV index 0x${COUNTER_INDEX.toString(16)}, which is the counter of Muster.`,
    );
  return found;
}

async function contentOf({ channel, sessions, storageKey }: CounterParts, index: NvIndex): Promise<bigint> {
  const bytes = await sessions.salted("hmac", storageKey, (session) =>
    nvRead(channel, index, index, session, { size: COUNTER_SIZE, offset: 0 }),
  );
  if (bytes.length !== COUNTER_SIZE)
    throw new MusterError("tpm.malformed", `The counter of the TPM has ${bytes.length} bytes.`);
  return bytes.readBigUInt64BE();
}
