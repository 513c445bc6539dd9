import { TPM_CC } from "@muster/shared/tpm/constants";
import { TpmWriter } from "@muster/shared/tpm/wire";
import { type Channel, entityOf } from "../channel.ts";
import type { PcrChoice } from "../face.ts";
import { type AuthSession, EMPTY_PASSWORD } from "../sessions/session.ts";
import { selectionOf } from "./pcr.ts";

const NOTHING = Buffer.alloc(0);

/** TPM2_PolicySecret (part 3, 23.4) by the empty password of a hierarchy; it holds as long as the session does. */
export async function policySecret(channel: Channel, policy: AuthSession, hierarchy: number): Promise<void> {
  await channel.run({
    code: TPM_CC.PolicySecret,
    name: "PolicySecret",
    entities: [entityOf(hierarchy), entityOf(policy.handle)],
    sessions: [EMPTY_PASSWORD],
    parameters: new TpmWriter().sized(NOTHING).sized(NOTHING).sized(NOTHING).u32(0).build(),
  });
}

/** TPM2_PolicyPCR (part 3, 23.7) of the values that the PCRs have now. */
export async function policyPcr(channel: Channel, policy: AuthSession, choice: PcrChoice): Promise<void> {
  await channel.run({
    code: TPM_CC.PolicyPCR,
    name: "PolicyPCR",
    entities: [entityOf(policy.handle)],
    parameters: new TpmWriter().sized(NOTHING).bytes(selectionOf(choice)).build(),
  });
}
