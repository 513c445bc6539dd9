import { TPM_CC } from "@muster/shared/tpm/constants";
import type { Channel, Entity } from "../channel.ts";
import type { AuthSession } from "../sessions/session.ts";

/** TPM2_Unseal (part 3, 12.7); `session` hides the answer. */
export async function unseal(channel: Channel, object: Entity, session: AuthSession): Promise<Buffer> {
  const { parameters } = await channel.run({
    code: TPM_CC.Unseal,
    name: "Unseal",
    entities: [object],
    sessions: [session],
    secret: "answer",
  });
  const data = Buffer.from(parameters.sized());
  parameters.end();
  return data;
}
