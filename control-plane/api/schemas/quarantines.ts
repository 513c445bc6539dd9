import { Digest, Millis, Name, Version } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed } from "./common.ts";

export const QuarantineResource = Type.Object(
  {
    name: Name,
    version: Version,
    digest: Digest,
    hardwareClass: Type.String(),
    /** The rollout that found the release bad there, and why. */
    rollout: Type.String(),
    reason: Type.String(),
    at: Millis,
  },
  closed,
);
export type QuarantineResource = Static<typeof QuarantineResource>;

export const QuarantineList = Type.Object({ quarantines: Type.Array(QuarantineResource) }, closed);
export type QuarantineList = Static<typeof QuarantineList>;

export const QuarantineEnd = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed);
