import { MusterError } from "@muster/shared/errors";
import { TPM_CC } from "@muster/shared/tpm/constants";
import { TpmWriter } from "@muster/shared/tpm/wire";
import type { Channel, Entity } from "../channel.ts";
import { isRefusal } from "../refusal.ts";
import type { AuthSession, EMPTY_PASSWORD } from "../sessions/session.ts";

/** FAILURE is what libtpms says where RSA cannot decrypt; one that really failed does not begin a session before. */
const NOT_FOR_US = ["INTEGRITY", "VALUE", "SIZE", "INSUFFICIENT", "ECC_POINT", "FAILURE"] as const;

/**
 * TPM2_ActivateCredential (part 3, 12.5). The session of the activated key hides the secret in the answer.
 * @param sessions of the activated key, then of the endorsement key
 * @throws MusterError `tpm.credential-refused` where it was made for other keys
 */
export async function activateCredential(
  channel: Channel,
  [activated, endorsement]: readonly [Entity, Entity],
  sessions: readonly [AuthSession, AuthSession | typeof EMPTY_PASSWORD],
  { credentialBlob, encryptedSecret }: { credentialBlob: Uint8Array; encryptedSecret: Uint8Array },
): Promise<Buffer> {
  const { parameters } = await channel
    .run({
      code: TPM_CC.ActivateCredential,
      name: "ActivateCredential",
      entities: [activated, endorsement],
      sessions,
      parameters: new TpmWriter().bytes(credentialBlob).bytes(encryptedSecret).build(),
      secret: "answer",
    })
    .catch((cause: unknown) => {
      if (isRefusal(cause, ...NOT_FOR_US))
        throw new MusterError("tpm.credential-refused", undefined, { cause });
      throw cause;
    });
  const secret = Buffer.from(parameters.sized());
  parameters.end();
  return secret;
}
