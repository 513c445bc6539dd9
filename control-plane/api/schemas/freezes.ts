import { Millis } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, MaybeMillis, oneOf, orNull } from "./common.ts";

export const FreezeResource = Type.Object(
  {
    id: Type.String(),
    /** This site and all below it; null for every site. */
    site: orNull(Type.String()),
    from: Millis,
    /** When it is over: as planned, or when it was ended. */
    to: Millis,
    state: oneOf("planned", "active", "past"),
    reason: Type.String(),
    createdBy: Type.String(),
    createdAt: Millis,
    endedBy: orNull(Type.String()),
    /** When it was ended before its time. */
    endedAt: MaybeMillis,
  },
  closed,
);
export type FreezeResource = Static<typeof FreezeResource>;

export const FreezeList = Type.Object({ freezes: Type.Array(FreezeResource) }, closed);
export type FreezeList = Static<typeof FreezeList>;
