import { TPM_CC } from "@muster/shared/tpm/constants";
import { TpmWriter } from "@muster/shared/tpm/wire";
import { type Channel, type Entity, entityOf } from "../channel.ts";
import { type AuthSession, EMPTY_PASSWORD } from "../sessions/session.ts";

/** A key in the TPM; `public` is its TPM2B_PUBLIC. */
export interface KeyInTpm extends Entity {
  readonly public: Buffer;
}

/** A TPM2B_PRIVATE, which only its parent opens, and the TPM2B_PUBLIC beside it. */
export interface WrappedObject {
  readonly private: Buffer;
  readonly public: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** TPM2B_SENSITIVE_CREATE with the empty password, template, no outside data and no creation PCRs. */
const madeOf = (data: Uint8Array, template: Uint8Array): Buffer =>
  new TpmWriter()
    .sized(new TpmWriter().sized(NOTHING).sized(data).build())
    .bytes(template)
    .sized(NOTHING)
    .u32(0)
    .build();

/** TPM2_CreatePrimary (part 3, 24.1); `template` is a TPM2B_PUBLIC. */
export async function createPrimary(
  channel: Channel,
  hierarchy: number,
  template: Uint8Array,
): Promise<KeyInTpm> {
  const { handle, parameters } = await channel.run({
    code: TPM_CC.CreatePrimary,
    name: "CreatePrimary",
    entities: [entityOf(hierarchy)],
    sessions: [EMPTY_PASSWORD],
    parameters: madeOf(NOTHING, template),
    makesHandle: true,
    isSlow: true,
  });
  const area = new TpmWriter().sized(parameters.sized()).build();
  // Creation data and its digest, then TPMT_TK_CREATION: tag, hierarchy and digest.
  parameters.sized();
  parameters.sized();
  parameters.u16();
  parameters.u32();
  parameters.sized();
  const name = Buffer.from(parameters.sized());
  parameters.end();
  return { handle, name, public: area };
}

/** TPM2_Create (part 3, 12.1) of an object that holds `data`; `session` hides it. `template` is a TPM2B_PUBLIC. */
export async function create(
  channel: Channel,
  parent: Entity,
  session: AuthSession,
  template: Uint8Array,
  data: Uint8Array,
): Promise<WrappedObject> {
  const { parameters } = await channel.run({
    code: TPM_CC.Create,
    name: "Create",
    entities: [parent],
    sessions: [session],
    parameters: madeOf(data, template),
    secret: "command",
    isSlow: true,
  });
  const [wrapped, area] = [parameters.sized(), parameters.sized()];
  return { private: new TpmWriter().sized(wrapped).build(), public: new TpmWriter().sized(area).build() };
}

/** TPM2_Load (part 3, 12.2). */
export async function load(channel: Channel, parent: Entity, object: WrappedObject): Promise<Entity> {
  const { handle, parameters } = await channel.run({
    code: TPM_CC.Load,
    name: "Load",
    entities: [parent],
    sessions: [EMPTY_PASSWORD],
    parameters: new TpmWriter().bytes(object.private).bytes(object.public).build(),
    makesHandle: true,
  });
  const name = Buffer.from(parameters.sized());
  parameters.end();
  return { handle, name };
}

/** TPM2_ReadPublic (part 3, 12.4). */
export async function readPublic(channel: Channel, handle: number): Promise<KeyInTpm> {
  const { parameters } = await channel.run({
    code: TPM_CC.ReadPublic,
    name: "ReadPublic",
    entities: [entityOf(handle)],
  });
  const area = new TpmWriter().sized(parameters.sized()).build();
  const name = Buffer.from(parameters.sized());
  // The qualified name: who checks an attestation computes it.
  parameters.sized();
  parameters.end();
  return { handle, name, public: area };
}

/** TPM2_EvictControl (part 3, 28.5): keeps a loaded object at a persistent handle. */
export async function evictControl(
  channel: Channel,
  hierarchy: number,
  object: Entity,
  persistent: number,
): Promise<void> {
  await channel.run({
    code: TPM_CC.EvictControl,
    name: "EvictControl",
    entities: [entityOf(hierarchy), object],
    sessions: [EMPTY_PASSWORD],
    parameters: new TpmWriter().u32(persistent).build(),
    isSlow: true,
  });
}
