import { Millis } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, orNull } from "./common.ts";

const Token = Type.String({ pattern: "^[A-Za-z0-9_-]{22,128}$" });

export const SignInState = Type.Object(
  {
    /** What people call the identity provider; null without one. */
    provider: orNull(Type.String()),
    /** True where the cookie of this browser is good. */
    signedIn: Type.Boolean(),
  },
  closed,
);

/** All of them for a command line, none for the page. */
export const SignInQuery = Type.Object(
  {
    port: Type.Optional(Type.Integer({ minimum: 1024, maximum: 65_535 })),
    challenge: Type.Optional(Token),
    state: Type.Optional(Token),
  },
  closed,
);

export const CliCode = Type.Object({ code: Token, verifier: Token }, closed);

export const CliSession = Type.Object(
  {
    /** A bearer token, good as long as the session lasts. */
    token: Type.String(),
    expiresAt: Millis,
    operator: Type.Object({ id: Type.String(), name: Type.String() }, closed),
  },
  closed,
);
export type CliSession = Static<typeof CliSession>;
