import { Count, ReleaseRef } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, oneOf } from "./common.ts";

const place = { device: Type.String(), name: Type.String(), site: Type.String() };
const Shares = Type.Array(Type.Object({ key: Type.String(), devices: Count, offline: Count }, closed));

/** What a plan selects as things stand; the answer to a dry run. */
export const SelectionResource = Type.Object(
  {
    release: ReleaseRef,
    matched: Count,
    targets: Count,
    offline: Count,
    waves: Type.Array(
      Type.Object(
        {
          number: Count,
          offline: Count,
          sites: Shares,
          classes: Shares,
          devices: Type.Array(
            Type.Object({ ...place, hardwareClass: Type.String(), online: Type.Boolean() }, closed),
          ),
        },
        closed,
      ),
    ),
    excluded: Type.Array(
      Type.Object(
        {
          ...place,
          reason: oneOf("revoked", "no-variant", "quarantined", "already-running"),
          sentence: Type.String(),
        },
        closed,
      ),
    ),
    /** Targets that another rollout under way has as well, and who goes first. */
    contended: Type.Array(
      Type.Object(
        { ...place, rollout: Type.String(), takesOver: Type.Boolean(), sentence: Type.String() },
        closed,
      ),
    ),
  },
  closed,
);
export type SelectionResource = Static<typeof SelectionResource>;
