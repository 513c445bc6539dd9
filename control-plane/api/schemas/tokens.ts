import { AssuranceLevel } from "@muster/shared/protocol/device-api";
import { Labels, Millis, SitePath } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, MaybeMillis, oneOf, orNull } from "./common.ts";

const token = {
  id: Type.String(),
  site: SitePath,
  labels: Labels,
  uses: Type.Integer(),
  usesLeft: Type.Integer(),
  createdAt: Millis,
  expiresAt: Millis,
  revokedAt: MaybeMillis,
  /** Least assurance of the devices that it lets in. */
  minAssurance: AssuranceLevel,
  /** Id of the device whose place the one that enrolls takes. */
  replaces: orNull(Type.String()),
  state: oneOf("valid", "expired", "spent", "revoked"),
};
export const TokenResource = Type.Object(token, closed);
export type TokenResource = Static<typeof TokenResource>;

export const TokenList = Type.Object({ tokens: Type.Array(TokenResource) }, closed);
export type TokenList = Static<typeof TokenList>;

export const NewToken = Type.Object(
  {
    site: SitePath,
    labels: Type.Optional(Labels),
    /** Devices that may enroll with it, 1 unless told. */
    uses: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    /** Seconds from now, a day unless told. */
    expiresIn: Type.Optional(Type.Integer({ minimum: 60, maximum: 365 * 86_400 })),
    /** `software` unless told: any device. */
    minAssurance: Type.Optional(AssuranceLevel),
  },
  closed,
);
export type NewToken = Static<typeof NewToken>;

/** The secret is told in this answer and never again. */
export const CreatedToken = Type.Object(
  {
    ...token,
    secret: Type.String(),
    /** SHA-256 of the CA certificate, base64url. */
    caPin: Type.String(),
  },
  closed,
);
export type CreatedToken = Static<typeof CreatedToken>;
