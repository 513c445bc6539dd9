import { MusterError } from "@muster/shared/errors";
import { TPM_CAP, TPM_CC, TPM_ECC } from "@muster/shared/tpm/constants";
import { type HashName, hashNameOf } from "@muster/shared/tpm/hash";
import { type TpmReader, TpmWriter } from "@muster/shared/tpm/wire";
import type { Channel } from "../channel.ts";

/** Most rounds for one list: no TPM has so many handles that it takes more. */
const MOST_ROUNDS = 64;
const AT_ONCE = 64;
const CAP_ECC_CURVES = 8;

/** TPM2_GetCapability (part 3, 30.2). */
async function getCapability(
  channel: Channel,
  capability: number,
  property: number,
): Promise<{ hasMore: boolean; data: TpmReader }> {
  const { parameters } = await channel.run({
    code: TPM_CC.GetCapability,
    name: "GetCapability",
    parameters: new TpmWriter().u32(capability).u32(property).u32(AT_ONCE).build(),
  });
  const hasMore = parameters.u8() !== 0;
  const got = parameters.u32();
  if (got !== capability)
    throw new MusterError("tpm.malformed", `The TPM was asked for capability ${capability} and told ${got}.`);
  return { hasMore, data: parameters };
}

/** Handles from `first` to `last` that are in use. */
export async function handlesBetween(channel: Channel, first: number, last: number): Promise<number[]> {
  const found: number[] = [];
  for (let from = first, round = 0; round < MOST_ROUNDS; round++) {
    const { hasMore, data } = await getCapability(channel, TPM_CAP.HANDLES, from);
    const handles = readList(data, () => data.u32());
    found.push(...handles.filter((handle) => handle >= from && handle <= last));
    const highest = handles.at(-1);
    if (!hasMore || highest === undefined || highest >= last || highest < from) return found;
    from = highest + 1;
  }
  return found;
}

/** Banks of PCRs that are in use, of those that Muster knows. */
export async function activeBanks(channel: Channel): Promise<HashName[]> {
  const { data } = await getCapability(channel, TPM_CAP.PCRS, 0);
  const known: HashName[] = [];
  const count = data.u32();
  for (let position = 0; position < count; position++) {
    const bank = hashNameOf(data.u16());
    const bitmap = data.bytes(data.u8());
    if (bank && bitmap.some((byte) => byte !== 0)) known.push(bank);
  }
  data.end();
  return known;
}

/** True where it computes with the curve P-256. */
export async function hasP256(channel: Channel): Promise<boolean> {
  const { data } = await getCapability(channel, CAP_ECC_CURVES, 0);
  return readList(data, () => data.u16()).includes(TPM_ECC.NIST_P256);
}

/** The reader ends the loop where the TPM announces more than it sends. */
function readList(data: TpmReader, read: () => number): number[] {
  const count = data.u32();
  const list: number[] = [];
  for (let position = 0; position < count; position++) list.push(read());
  data.end();
  return list;
}
