import { type Static, Type } from "typebox";
import { type Signed, SignedDocument } from "../trust/signed-document.ts";
import { DeviceId, Id, Millis, PROTOCOL_VERSION } from "./primitives.ts";

/** What a device can be told to do once. */
export const COMMAND_KINDS = ["wipe"] as const;
export type CommandKind = (typeof COMMAND_KINDS)[number];

/** `wipe`: the device erases keys, models, results and secrets, and ends. */
export const CommandPayload = Type.Object(
  {
    v: Type.Literal(PROTOCOL_VERSION),
    id: Id,
    /** The one device that may carry it out. */
    audience: DeviceId,
    issuedAt: Millis,
    notAfter: Millis,
    kind: Type.Enum(COMMAND_KINDS),
  },
  { additionalProperties: false },
);
export type CommandPayload = Static<typeof CommandPayload>;

/** Message on `down/command`, retained until the device has told the outcome. */
export const Command = SignedDocument(CommandPayload);
export type Command = Signed<CommandPayload>;
