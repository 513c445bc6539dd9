import { timingSafeEqual } from "node:crypto";
import rateLimit from "@fastify/rate-limit";
import { isMusterError, MusterError } from "@muster/shared/errors";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { sessionCookieOf } from "./cookies.ts";
import type { Operators } from "./operators.ts";
import { type FindDevice, keepWithin } from "./places.ts";
import type { Principal } from "./principal.ts";
import { Reach } from "./reach.ts";
import { RIGHTS, type RightName } from "./roles.ts";
import { Sessions } from "./sessions.ts";

/** Who may use a route: anybody, whoever is signed in (for what is about himself), or who has the right. */
export type Access = "public" | "signed-in" | RightName;

declare module "fastify" {
  interface FastifyRequest {
    /** Who asks; null on the public routes. */
    operator: Principal | null;
    /** Where he has the right that the route asks for: answers and changes keep to it. */
    reach: Reach;
  }
  interface FastifyContextConfig {
    /** A route that does not say it is closed to everybody. */
    access?: Access;
  }
}

/** A route with what it asks for; undefined for one that is closed to everybody. */
export interface DeclaredRoute {
  method: string;
  url: string;
  access: Access | undefined;
}

const ROUTES = "routeAccess";

/** Every route of the listener. */
export const declaredRoutes = (app: Pick<FastifyInstance, "getDecorator">): readonly DeclaredRoute[] =>
  app.getDecorator<DeclaredRoute[]>(ROUTES);

/** What proves who asks. */
export interface Doors {
  operators: Operators;
  /** Undefined without an identity provider. */
  sessions: Sessions | undefined;
  /** Finds a device by one of the ways in which operators name it. */
  findDevice: FindDevice;
}

/** Carries the CSRF token of writes that come with a session cookie. */
const CSRF_HEADER = "x-muster-csrf";
const SAFE_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

const bearerOf = (request: FastifyRequest): string | undefined =>
  /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];

/**
 * Lets through only who may: every route says what it takes in `config: { access }`, and is closed to everybody where
 * it does not; addresses without a route are closed to strangers. What lies outside the sites of the caller is kept
 * from him where the address, the query or the path names it. Only refused tokens count against an address: a busy
 * script is never shut out.
 */
export async function requireAccess(
  app: FastifyInstance,
  doors: Doors,
  failuresPerMinute: number,
): Promise<void> {
  await app.register(rateLimit, { global: false });
  const countFailure = app.createRateLimit({ max: failuresPerMinute, timeWindow: 60_000 });
  const declared: DeclaredRoute[] = [];
  app.decorate(ROUTES, declared);
  app.addHook("onRoute", ({ method, url, config }) => {
    for (const each of [method].flat()) declared.push({ method: each, url, access: config?.access });
  });
  app.decorateRequest("operator", null);
  app.decorateRequest("reach", null as unknown as Reach);
  app.addHook("onRequest", async (request, reply) => {
    const { access } = request.routeOptions.config;
    if (access === "public" && !request.is404) return;
    try {
      request.operator = await identify(request, doors);
    } catch (error) {
      if (!isMusterError(error, "request.unauthorized")) throw error;
      const limit = await countFailure(request);
      if (limit.isAllowed || !limit.isExceeded) throw error;
      reply.header("retry-after", String(limit.ttlInSeconds));
      throw new MusterError("request.rate-limited", "Too many wrong tokens from this address.");
    }
    if (request.is404) return;
    request.reach = reachOf(request.operator, access);
    keepWithin(request, doors.findDevice);
  });
}

async function identify(request: FastifyRequest, { operators, sessions }: Doors): Promise<Principal> {
  const bearer = bearerOf(request);
  if (sessions && Sessions.isSession(bearer)) return await sessions.authenticate(bearer, "cli");
  const cookie =
    request.headers.authorization === undefined ? sessionCookieOf(request.headers.cookie) : undefined;
  if (!sessions || cookie === undefined) return await operators.tokens.authenticate(bearer);
  const principal = await sessions.authenticate(cookie, "page");
  if (!SAFE_METHODS.includes(request.method)) requireOwnPage(request, principal.csrf ?? "");
  return principal;
}

/** Another site can make a browser send the cookie, but neither read the token nor send this header. */
function requireOwnPage({ headers }: FastifyRequest, csrf: string): void {
  const from = headers["sec-fetch-site"];
  const given = Buffer.from(String(headers[CSRF_HEADER] ?? ""));
  const wanted = Buffer.from(csrf);
  const same = given.length === wanted.length && timingSafeEqual(given, wanted);
  if (csrf === "" || !same || (from !== undefined && from !== "same-origin"))
    throw new MusterError("access.csrf");
}

/** @throws MusterError `access.denied` */
function reachOf({ name, grants }: Principal, access: Access | undefined): Reach {
  if (access === undefined || access === "public")
    throw new MusterError("access.denied", "This address does not say who may use it, so nobody may.");
  if (access === "signed-in") return Reach.of(grants, "viewer");
  const { role, extent, what } = RIGHTS[access];
  const reach = Reach.of(grants, role);
  if (extent === "fleet" ? reach.isEverywhere : !reach.isNowhere) return reach;
  const where = extent === "fleet" ? " for the whole fleet" : "";
  throw new MusterError("access.denied", `${name} is no ${role}${where}: that is what it takes. (${what}.)`);
}
