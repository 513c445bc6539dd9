import { readSelection } from "@muster/shared/tpm/attest";
import { TPM_CC } from "@muster/shared/tpm/constants";
import { type HashName, hashId } from "@muster/shared/tpm/hash";
import { TpmWriter } from "@muster/shared/tpm/wire";
import { type Channel, entityOf } from "../channel.ts";
import type { PcrChoice } from "../face.ts";
import { EMPTY_PASSWORD } from "../sessions/session.ts";

/** PCRs of a PC Client TPM. */
export const PCR_COUNT = 24;

/** TPML_PCR_SELECTION with one bank (part 2, 10.9.7). */
export function selectionOf({ bank, indices }: PcrChoice): Buffer {
  const bitmap = new Uint8Array(PCR_COUNT / 8);
  for (const index of indices) bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7));
  return new TpmWriter().u32(1).u16(hashId(bank)).u8(bitmap.length).bytes(bitmap).build();
}

/**
 * TPM2_PCR_Read (part 3, 22.4). A TPM gives at most eight at once, and none of a bank that is not in use.
 * @returns values by index, perhaps fewer than asked for
 */
export async function pcrRead(channel: Channel, choice: PcrChoice): Promise<Map<number, Buffer>> {
  const { parameters } = await channel.run({
    code: TPM_CC.PCR_Read,
    name: "PCR_Read",
    parameters: selectionOf(choice),
  });
  // How often PCRs were updated in all: a quote brings what is needed of that.
  parameters.u32();
  const read = readSelection(parameters).find(({ bank }) => bank === choice.bank)?.indices ?? [];
  const values = new Map<number, Buffer>();
  const count = parameters.u32();
  for (let position = 0; position < count; position++) {
    const value = Buffer.from(parameters.sized());
    const index = read[position];
    if (index !== undefined) values.set(index, value);
  }
  parameters.end();
  return values;
}

/** TPM2_PCR_Extend (part 3, 22.2). */
export async function pcrExtend(
  channel: Channel,
  pcr: number,
  digests: ReadonlyMap<HashName, Uint8Array>,
): Promise<void> {
  const parameters = new TpmWriter().u32(digests.size);
  for (const [bank, digest] of digests) parameters.u16(hashId(bank)).bytes(digest);
  await channel.run({
    code: TPM_CC.PCR_Extend,
    name: "PCR_Extend",
    entities: [entityOf(pcr)],
    sessions: [EMPTY_PASSWORD],
    parameters: parameters.build(),
  });
}
