import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createOperatorApi } from "@muster/control-plane/api/server";
import type { OperatorServices } from "@muster/control-plane/api/services";
import { type DeclaredRoute, declaredRoutes } from "@muster/control-plane/people/authorization";
import { Operators } from "@muster/control-plane/people/operators";
import { isAtLeast, RIGHTS, ROLES, type Role } from "@muster/control-plane/people/roles";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import type { Problem } from "@muster/shared/protocol/device-api";

/** Answers every call of a service: which roles get through is all that is asked here. */
const anything: unknown = new Proxy(() => anything, {
  get: (_target, name) => (name === "then" || name === Symbol.iterator ? undefined : anything),
  apply: () => anything,
});

const PUBLIC = [
  "/",
  "/icon.svg",
  "/api/v1/openapi.json",
  "/api/v1/sign-in",
  "/api/v1/sign-in/state",
  "/api/v1/sign-in/callback",
  "/api/v1/sign-in/cli",
];

describe("routes of the operator API", () => {
  let dir: string;
  let stores: Stores;
  let api: Awaited<ReturnType<typeof createOperatorApi>>;
  let routes: readonly DeclaredRoute[];
  const tokens = new Map<string, string>();
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-routes-"));
    stores = await openStores(dir);
    const operators = new Operators(stores.control);
    for (const role of ROLES) {
      tokens.set(role, (await operators.create(role, [{ role, site: "*" }])).token);
      tokens.set(`${role} of eu`, (await operators.create(`${role}-eu`, [{ role, site: "eu" }])).token);
    }
    const info = { version: "1.0.0", now: Date.now };
    const audit = { note: () => {}, write: async () => {}, digestOfBody: () => "" };
    const services = new Proxy({ operators, signIn: undefined, info, audit } as Record<string, unknown>, {
      get: (known, name) => (name in known ? known[name as string] : anything),
    });
    api = await createOperatorApi(services as unknown as OperatorServices, { failuresPerMinute: 1_000_000 });
    await api.ready();
    routes = declaredRoutes(api);
  });
  after(async () => {
    await api.close();
    await stores.close();
    await rm(dir, { recursive: true });
  });

  async function refused(method: string, url: string, token?: string): Promise<string | undefined> {
    const path = url.replaceAll(/:\w+/g, "x").replace("*", "eu/x");
    const answer = await api.inject({
      method: method as "GET",
      url: path,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    if (answer.statusCode !== 401 && answer.statusCode !== 403) return undefined;
    return method === "HEAD" ? String(answer.statusCode) : (answer.json() as Problem).code;
  }

  it("say what they ask for, each of them, and only a few ask for nothing", () => {
    assert.ok(routes.length >= 90, `${routes.length} routes`);
    const closed = routes.filter(({ access }) => access === undefined);
    assert.deepEqual(closed, [], "a route without `config: { access }` is closed to everybody");
    const open = routes.filter(({ access }) => access === "public").map(({ url }) => url);
    const pages = /^\/[a-z-]+\.(js|css)$/;
    assert.deepEqual(
      [...new Set(open)].filter((url) => !PUBLIC.includes(url) && !pages.test(url)),
      [],
    );
  });

  it("let nobody in without a token", async () => {
    for (const { method, url, access } of routes)
      if (access !== "public") assert.ok(await refused(method, url), `${method} ${url}`);
  });

  it("let in exactly the roles that the table names, for the fleet and for a site", async () => {
    for (const { method, url, access } of routes) {
      if (access === "public" || access === undefined) continue;
      for (const role of ROLES) {
        const may: boolean = access === "signed-in" || isAtLeast(role, RIGHTS[access].role);
        const told: string | undefined = await refused(method, url, tokens.get(role));
        assert.equal(told === undefined, may, `${method} ${url} as ${role}: ${told}`);
        const scoped = may && (access === "signed-in" || RIGHTS[access].extent === "sites");
        if (!scoped) {
          const ofSite = await refused(method, url, tokens.get(`${role} of eu`));
          assert.ok(ofSite, `${method} ${url} as ${role} of eu`);
        }
      }
    }
  });

  it("are asked for by every right of the table that has routes already", () => {
    const asked = new Set(routes.map(({ access }) => access));
    const least = new Set<Role>(
      [...asked].flatMap((each) =>
        each && each in RIGHTS ? [RIGHTS[each as keyof typeof RIGHTS].role] : [],
      ),
    );
    assert.deepEqual(
      [...ROLES].filter((role) => !least.has(role)),
      [],
    );
  });
});
