import { TPM_CC } from "@muster/shared/tpm/constants";
import { hashId } from "@muster/shared/tpm/hash";
import { TpmReader, TpmWriter } from "@muster/shared/tpm/wire";
import { type Channel, type Entity, entityOf } from "../channel.ts";
import { type AuthSession, EMPTY_PASSWORD } from "../sessions/session.ts";

/** Public area of an NV index (part 2, 13.5). */
export interface NvIndex extends Entity {
  /** Bits of TPMA_NV. */
  readonly attributes: number;
  /** Bytes. */
  readonly size: number;
}

/** TPM2_NV_ReadPublic (part 3, 31.6). */
export async function nvReadPublic(channel: Channel, index: number): Promise<NvIndex> {
  const { parameters } = await channel.run({
    code: TPM_CC.NV_ReadPublic,
    name: "NV_ReadPublic",
    entities: [entityOf(index)],
  });
  const area = new TpmReader(parameters.sized(), "TPMS_NV_PUBLIC");
  const name = Buffer.from(parameters.sized());
  parameters.end();
  const handle = area.u32();
  // The name algorithm: the TPM has computed the name already.
  area.u16();
  const attributes = area.u32();
  area.sized();
  const size = area.u16();
  area.end();
  return { handle, name, attributes, size };
}

/** TPM2_NV_Read (part 3, 31.13); `by` is the index itself or a hierarchy. */
export async function nvRead(
  channel: Channel,
  by: Entity,
  index: Entity,
  session: AuthSession | typeof EMPTY_PASSWORD,
  { size, offset }: { size: number; offset: number },
): Promise<Buffer> {
  const { parameters } = await channel.run({
    code: TPM_CC.NV_Read,
    name: "NV_Read",
    entities: [by, index],
    sessions: [session],
    parameters: new TpmWriter().u16(size).u16(offset).build(),
  });
  const data = Buffer.from(parameters.sized());
  parameters.end();
  return data;
}

/** TPM2_NV_DefineSpace (part 3, 31.3) with the empty password. */
export async function nvDefine(
  channel: Channel,
  hierarchy: number,
  { handle, attributes, size }: Omit<NvIndex, "name">,
): Promise<void> {
  const area = new TpmWriter().u32(handle).u16(hashId("sha256")).u32(attributes).u16(0).u16(size).build();
  await channel.run({
    code: TPM_CC.NV_DefineSpace,
    name: "NV_DefineSpace",
    entities: [entityOf(hierarchy)],
    sessions: [EMPTY_PASSWORD],
    parameters: new TpmWriter().u16(0).sized(area).build(),
  });
}

/** TPM2_NV_Increment (part 3, 31.8). */
export async function nvIncrement(channel: Channel, index: Entity): Promise<void> {
  await channel.run({
    code: TPM_CC.NV_Increment,
    name: "NV_Increment",
    entities: [index, index],
    sessions: [EMPTY_PASSWORD],
  });
}
