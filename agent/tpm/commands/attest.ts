import { TPM_ALG, TPM_CC } from "@muster/shared/tpm/constants";
import { type TpmReader, TpmWriter } from "@muster/shared/tpm/wire";
import type { Channel, Entity } from "../channel.ts";
import type { PcrChoice } from "../face.ts";
import { EMPTY_PASSWORD } from "../sessions/session.ts";
import { selectionOf } from "./pcr.ts";

/** What was signed and the signature: TPMS_ATTEST and TPMT_SIGNATURE. */
export interface Attested {
  readonly attest: Buffer;
  readonly signature: Buffer;
}

/** TPM2_Quote (part 3, 18.4) by the scheme of the key. */
export async function quote(
  channel: Channel,
  key: Entity,
  choice: PcrChoice,
  qualifyingData: Uint8Array,
): Promise<Attested> {
  const { parameters } = await channel.run({
    code: TPM_CC.Quote,
    name: "Quote",
    entities: [key],
    sessions: [EMPTY_PASSWORD],
    parameters: new TpmWriter().sized(qualifyingData).u16(TPM_ALG.NULL).bytes(selectionOf(choice)).build(),
  });
  return attestedIn(parameters);
}

/** TPM2_Certify (part 3, 18.2) by the scheme of the key. */
export async function certify(
  channel: Channel,
  object: Entity,
  key: Entity,
  qualifyingData: Uint8Array,
): Promise<Attested> {
  const { parameters } = await channel.run({
    code: TPM_CC.Certify,
    name: "Certify",
    entities: [object, key],
    sessions: [EMPTY_PASSWORD, EMPTY_PASSWORD],
    parameters: new TpmWriter().sized(qualifyingData).u16(TPM_ALG.NULL).build(),
  });
  return attestedIn(parameters);
}

function attestedIn(parameters: TpmReader): Attested {
  const attest = Buffer.from(parameters.sized());
  return { attest, signature: Buffer.from(parameters.bytes(parameters.remaining)) };
}
