import { Millis, Name } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, MaybeMillis } from "./common.ts";

export const OperatorResource = Type.Object(
  {
    id: Type.String(),
    name: Name,
    createdAt: Millis,
    lastUsedAt: MaybeMillis,
    revokedAt: MaybeMillis,
  },
  closed,
);
export type OperatorResource = Static<typeof OperatorResource>;

export const OperatorList = Type.Object({ operators: Type.Array(OperatorResource) }, closed);
export type OperatorList = Static<typeof OperatorList>;

export const NewOperator = Type.Object({ name: Name }, closed);

/** The token is told in this answer and never again. */
export const CreatedOperator = Type.Object({ operator: OperatorResource, token: Type.String() }, closed);
export type CreatedOperator = Static<typeof CreatedOperator>;
