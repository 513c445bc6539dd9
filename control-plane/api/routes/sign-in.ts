import { asMusterError, MusterError } from "@muster/shared/errors";
import { Type } from "typebox";
import { sessionCookie, sessionCookieOf, signInCookie, signInCookieOf } from "../../people/cookies.ts";
import { cliUrl, SIGN_IN_MS, type SignIn } from "../../people/oidc/sign-in.ts";
import type { ApiApp } from "../app.ts";
import { closed, orNull } from "../schemas/common.ts";
import { SessionResource } from "../schemas/operators.ts";
import { CliCode, CliSession, SignInQuery, SignInState } from "../schemas/sign-in.ts";
import type { OperatorServices } from "../services.ts";

const PER_MINUTE = 60;
/** Strangers may begin, and each step asks the identity provider something. */
const PUBLIC = {
  access: "public",
  rateLimit: {
    max: PER_MINUTE,
    timeWindow: 60_000,
    errorResponseBuilder: () =>
      new MusterError("request.rate-limited", "Too many sign-ins from this address within a minute."),
  },
} as const;

/** How people get in, and out again. */
export function signInRoutes(app: ApiApp, { signIn, info }: Pick<OperatorServices, "signIn" | "info">): void {
  const required = (): SignIn => {
    if (!signIn) throw new MusterError("access.sign-in-off");
    return signIn;
  };

  app.get(
    "/sign-in/state",
    {
      config: { access: "public" },
      schema: {
        security: [],
        summary: "Whether there is an identity provider to sign in at, and a session of this browser",
        response: { 200: SignInState },
      },
    },
    async (request) => {
      const cookie = sessionCookieOf(request.headers.cookie);
      const session = cookie && (await signIn?.sessions.authenticate(cookie, "page").catch(() => undefined));
      return { provider: signIn?.name ?? null, signedIn: Boolean(session) };
    },
  );

  app.get(
    "/sign-in",
    {
      config: PUBLIC,
      schema: {
        security: [],
        summary:
          "Begin to sign in at the identity provider, in a browser; a command line says where it waits",
        querystring: SignInQuery,
      },
    },
    async ({ query }, reply) => {
      const { port, challenge, state } = query;
      const cli =
        port === undefined || challenge === undefined || state === undefined
          ? null
          : { port, challenge, state };
      const { url, kept } = await required().begin(cli);
      return reply.header("set-cookie", signInCookie(kept, SIGN_IN_MS / 1000)).redirect(url.href);
    },
  );

  app.get("/sign-in/callback", { config: PUBLIC, schema: { hide: true } }, async (request, reply) => {
    const kept = signInCookieOf(request.headers.cookie);
    reply.header("set-cookie", signInCookie("", 0));
    try {
      const query = request.url.split("?").slice(1).join("?");
      const signedIn = await required().finish(query, kept);
      if ("cli" in signedIn) return reply.redirect(signedIn.cli.href);
      const { secret, expiresAt } = signedIn.session;
      const seconds = Math.floor((expiresAt - info.now()) / 1000);
      return reply.header("set-cookie", sessionCookie(secret, seconds)).redirect("/");
    } catch (error) {
      const { code, message } = asMusterError(error);
      request.log.warn({ code, err: error }, message);
      const cli = signIn?.waitingCli(kept);
      return reply.redirect(cli ? cliUrl(cli, { error: code, message }).href : `/#failure=${code}`);
    }
  });

  app.post(
    "/sign-in/cli",
    {
      config: PUBLIC,
      schema: {
        security: [],
        summary: "Trade the code of a sign-in for a session; once, by who began it",
        body: CliCode,
        response: { 200: CliSession },
      },
    },
    async ({ body }) => {
      const { session, operator } = await required().redeem(body.code, body.verifier);
      return {
        token: session.secret,
        expiresAt: session.expiresAt,
        operator: { id: operator.id, name: operator.name },
      };
    },
  );

  app.get(
    "/session",
    {
      config: { access: "signed-in" },
      schema: { summary: "Who asks, and what he may do", response: { 200: SessionResource } },
    },
    async ({ operator }) => {
      if (!operator) throw new MusterError("request.unauthorized");
      const { id, name, grants, by, expiresAt, csrf } = operator;
      return { operator: { id, name }, grants: [...grants], by, expiresAt, csrf };
    },
  );

  app.post(
    "/sign-out",
    {
      config: { access: "signed-in" },
      schema: {
        summary: "End the session that asks; a token is revoked instead",
        body: orNull(Type.Object({}, closed)),
        response: { 204: Type.Null() },
      },
    },
    async ({ operator }, reply) => {
      if (operator?.by === "token")
        throw new MusterError("request.conflict", "A token has no session to end: revoke it instead.");
      await signIn?.sessions.end(operator?.credential ?? "");
      return reply.header("set-cookie", sessionCookie("", 0)).code(204).send(null);
    },
  );
}
