import { Millis, Name } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { Grant, Grants } from "../../people/grants.ts";
import { closed, MaybeMillis, oneOf, orNull } from "./common.ts";

/** Roles at sites; one of a person may be empty when the identity provider says nothing of him any more. */
const GrantList = Type.Array(Grant);

export const OperatorResource = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    grants: GrantList,
    /** The identity provider of a person; null for operators made here. */
    issuer: orNull(Type.String()),
    createdAt: Millis,
    /** The newest use of any token. */
    lastUsedAt: MaybeMillis,
    revokedAt: MaybeMillis,
  },
  closed,
);
export type OperatorResource = Static<typeof OperatorResource>;

export const OperatorList = Type.Object({ operators: Type.Array(OperatorResource) }, closed);
export type OperatorList = Static<typeof OperatorList>;

/** Without grants: an admin of the whole fleet. */
export const NewOperator = Type.Object({ name: Name, grants: Type.Optional(Grants) }, closed);

export const OperatorChange = Type.Object({ grants: Grants }, closed);

/** The token is told in this answer and never again. */
export const CreatedOperator = Type.Object({ operator: OperatorResource, token: Type.String() }, closed);
export type CreatedOperator = Static<typeof CreatedOperator>;

export const OperatorTokenResource = Type.Object(
  {
    id: Type.String(),
    operator: Type.String(),
    name: Type.String(),
    /** What it narrows its operator to; null where it does not. */
    grants: orNull(GrantList),
    createdAt: Millis,
    expiresAt: MaybeMillis,
    lastUsedAt: MaybeMillis,
    revokedAt: MaybeMillis,
    state: oneOf("valid", "expired", "revoked"),
  },
  closed,
);
export type OperatorTokenResource = Static<typeof OperatorTokenResource>;

export const OperatorTokenList = Type.Object({ tokens: Type.Array(OperatorTokenResource) }, closed);
export type OperatorTokenList = Static<typeof OperatorTokenList>;

export const NewOperatorToken = Type.Object(
  {
    name: Name,
    /** Narrows what the operator may do; it never gives more. */
    grants: Type.Optional(Grants),
    /** Seconds from now; without end unless told. */
    expiresIn: Type.Optional(Type.Integer({ minimum: 60, maximum: 10 * 365 * 86_400 })),
  },
  closed,
);

/** The secret is told in this answer and never again. */
export const CreatedOperatorToken = Type.Object(
  { token: OperatorTokenResource, secret: Type.String() },
  closed,
);
export type CreatedOperatorToken = Static<typeof CreatedOperatorToken>;

/** Who asks, and what he may do. */
export const SessionResource = Type.Object(
  {
    operator: Type.Object({ id: Type.String(), name: Type.String() }, closed),
    grants: GrantList,
    by: oneOf("token", "page", "cli"),
    /** When the token or the session ends. */
    expiresAt: MaybeMillis,
    /** Goes with every change that a session of the page asks for, as `x-muster-csrf`; null for others. */
    csrf: orNull(Type.String()),
  },
  closed,
);
export type SessionResource = Static<typeof SessionResource>;
