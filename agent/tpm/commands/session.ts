import { TPM_ALG, TPM_CC, TPM_RH } from "@muster/shared/tpm/constants";
import { TpmWriter } from "@muster/shared/tpm/wire";
import { type Channel, entityOf } from "../channel.ts";

/** TPM2_StartAuthSession (part 3, 11.1), bound to nothing; `saltKey` null begins one that is not salted. */
export async function startAuthSession(
  channel: Channel,
  order: { type: number; nonce: Buffer; saltKey: number | null; encryptedSalt: Buffer },
): Promise<{ handle: number; nonceTpm: Buffer }> {
  const parameters = new TpmWriter().sized(order.nonce).sized(order.encryptedSalt).u8(order.type);
  if (order.saltKey === null) parameters.u16(TPM_ALG.NULL);
  else parameters.u16(TPM_ALG.AES).u16(128).u16(TPM_ALG.CFB);
  const { handle, parameters: answer } = await channel.run({
    code: TPM_CC.StartAuthSession,
    name: "StartAuthSession",
    entities: [entityOf(order.saltKey ?? TPM_RH.NULL), entityOf(TPM_RH.NULL)],
    parameters: parameters.u16(TPM_ALG.SHA256).build(),
    makesHandle: true,
  });
  const nonceTpm = Buffer.from(answer.sized());
  answer.end();
  return { handle, nonceTpm };
}

/** TPM2_FlushContext (part 3, 28.4): the handle is a parameter, not an entity. */
export async function flushContext(channel: Channel, handle: number): Promise<void> {
  const parameters = new TpmWriter().u32(handle).build();
  await channel.run({ code: TPM_CC.FlushContext, name: "FlushContext", parameters });
}

/** TPM2_Startup (part 3, 9.3); `type` is a TPM_SU. */
export async function startup(channel: Channel, type: number): Promise<void> {
  const parameters = new TpmWriter().u16(type).build();
  await channel.run({ code: TPM_CC.Startup, name: "Startup", parameters });
}
