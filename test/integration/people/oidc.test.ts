import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Problem } from "@muster/shared/protocol/device-api";
import { Browser } from "../../support/oidc/browser.ts";
import { type OidcWorld, openOidcWorld } from "../../support/oidc/world.ts";

const CLI = fileURLToPath(import.meta.resolve("@muster/control-plane/main"));
const SESSION = "__Host-muster";
const people: Record<string, string[]> = {
  anna: ["fleet-admins"],
  ben: ["berlin", "other"],
  zoe: ["nobody"],
};

describe("sign-in at an identity provider", () => {
  let world: OidcWorld;
  let begin: string;
  before(async () => {
    world = await openOidcWorld(people);
    begin = `${world.plane.url}/api/v1/sign-in`;
  });
  after(() => world.close());

  /** Signs in and answers what asks with the cookie of this browser. */
  async function signedIn(person: string) {
    const browser = new Browser();
    const { url } = await browser.signIn(begin, person);
    const cookie = browser.cookie(url, SESSION) ?? "";
    const call = (method: string, path: string, headers: Record<string, string> = {}) =>
      fetch(`${world.plane.url}/api/v1${path}`, {
        method,
        headers: { cookie: `${SESSION}=${cookie}`, ...headers },
      });
    return { url, cookie, call, browser };
  }
  const sessionOf = async (call: (method: string, path: string) => Promise<Response>) =>
    (await (await call("GET", "/session")).json()) as {
      operator: { name: string };
      grants: { role: string; site: string }[];
      csrf: string;
      by: string;
    };

  it("gives a session by cookie, with the roles that the rules say", async () => {
    const anna = await signedIn("anna");
    assert.equal(anna.url.pathname, "/");
    const session = await sessionOf(anna.call);
    assert.equal(session.operator.name, "anna");
    assert.deepEqual(session.grants, [{ role: "admin", site: "*" }]);
    assert.equal(session.by, "page");
    const ben = await signedIn("ben");
    assert.deepEqual((await sessionOf(ben.call)).grants, [{ role: "operator", site: "eu/berlin" }]);
    assert.equal((await ben.call("GET", "/fleet")).status, 200);
    assert.equal((await ben.call("GET", "/operators")).status, 403);
    const { operators } = (await (await anna.call("GET", "/operators")).json()) as {
      operators: { name: string; issuer: string | null }[];
    };
    assert.deepEqual(
      operators.map(({ name, issuer }) => [name, issuer !== null]),
      [
        ["first", false],
        ["anna", true],
        ["ben", true],
      ],
    );
  });

  it("takes no change by cookie without the token of its own page", async () => {
    const { call, cookie } = await signedIn("anna");
    const { csrf } = await sessionOf(call);
    const change = (headers: Record<string, string>) => call("DELETE", "/operators/nobody", headers);
    for (const headers of [
      {},
      { "x-muster-csrf": "" },
      { "x-muster-csrf": `${csrf}x` },
      { "x-muster-csrf": csrf, "sec-fetch-site": "cross-site" },
      { "x-muster-csrf": csrf, "sec-fetch-site": "same-site" },
    ] as Record<string, string>[]) {
      const refused = await change(headers);
      assert.equal(refused.status, 403, JSON.stringify(headers));
      assert.equal(((await refused.json()) as Problem).code, "access.csrf");
    }
    assert.equal((await change({ "x-muster-csrf": csrf })).status, 404);
    const bearer = await call("GET", "/status", { cookie: "", authorization: `Bearer ${cookie}` });
    assert.equal(bearer.status, 401, "the cookie is no bearer token");
  });

  it("signs out: the cookie is refused from then on", async () => {
    const { call } = await signedIn("anna");
    const { csrf } = await sessionOf(call);
    const out = await call("POST", "/sign-out", { "x-muster-csrf": csrf });
    assert.equal(out.status, 204);
    assert.match(
      out.headers.get("set-cookie") ?? "",
      /^__Host-muster=; Path=\/; Max-Age=0; Secure; HttpOnly/,
    );
    assert.equal((await call("GET", "/session")).status, 401);
    assert.deepEqual(await (await call("GET", "/sign-in/state")).json(), {
      provider: "Test Provider",
      signedIn: false,
    });
  });

  it("refuses who has no rule, takes from him what he had, and refuses who was revoked here", async () => {
    assert.equal((await signedIn("zoe")).url.hash, "#failure=access.unmapped");
    const ben = await signedIn("ben");
    assert.equal((await ben.call("GET", "/session")).status, 200);
    people.ben = [];
    assert.equal((await signedIn("ben")).url.hash, "#failure=access.unmapped");
    assert.equal((await ben.call("GET", "/session")).status, 401, "his sessions end");
    people.ben = ["berlin"];
    assert.equal((await signedIn("ben")).url.hash, "");
    await world.plane.json("operator", "revoke", "ben");
    assert.equal((await signedIn("ben")).url.hash, "#failure=access.denied");
  });

  it("takes no end of a sign-in that this browser did not begin, nor one twice", async () => {
    const callback = new URL(`${begin}/callback?code=stolen&state=x`);
    const stranger = await new Browser().go(callback);
    assert.equal(stranger.headers.get("location"), "/#failure=access.sign-in-failed");
    const [victim, thief] = [new Browser(), new Browser()];
    const first = await victim.go(new URL(begin));
    const second = await thief.go(new URL(begin));
    assert.notEqual(first.headers.get("location"), second.headers.get("location"));
    const state = new URL(first.headers.get("location") ?? "").searchParams.get("state") ?? "";
    const wrong = new URL(`${begin}/callback?code=x&state=${state}`);
    const mixed = await thief.go(wrong);
    assert.equal(mixed.headers.get("location"), "/#failure=access.sign-in-failed");
    assert.equal(
      new URL(first.headers.get("location") ?? "").searchParams.get("code_challenge_method"),
      "S256",
    );
  });

  it("signs a command line in over loopback, and out again", async () => {
    const env = {
      PATH: process.env.PATH,
      HOME: world.plane.home,
      XDG_CONFIG_HOME: join(world.plane.home, "oidc"),
    };
    const child = spawn(process.execPath, [CLI, "login", world.plane.url, "--oidc", "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
      env,
    });
    let said = "";
    for await (const chunk of child.stderr) {
      said += String(chunk);
      if (/sign-in\?\S+\n/.test(said)) break;
    }
    const address = /(http\S+sign-in\?\S+)/.exec(said)?.[1] ?? "";
    const ended = once(child, "exit");
    const browser = new Browser();
    const { url } = await browser.signIn(address, "anna");
    assert.equal(url.hostname, "127.0.0.1");
    assert.notEqual(
      (await fetch(`${url.origin}/?code=guess&state=wrong`)).status,
      200,
      "strangers end no wait",
    );
    assert.match(await (await fetch(url)).text(), /You are signed in/);
    assert.deepEqual(await ended, [0, null]);
    const kept = JSON.parse(await readFile(join(env.XDG_CONFIG_HOME, "muster/config.json"), "utf8")) as {
      token: string;
    };
    assert.match(kept.token, /^muse1\./);
    const asked = { MUSTER_URL: undefined, MUSTER_TOKEN: undefined, XDG_CONFIG_HOME: env.XDG_CONFIG_HOME };
    assert.equal((await world.plane.muster(["operator", "list"], asked)).code, 0);
    const again = await fetch(`${begin}/cli`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code: url.searchParams.get("code"), verifier: "x".repeat(43) }),
    });
    assert.equal(again.status, 403, "a code is good once, and for who began it");
    assert.equal((await world.plane.muster(["logout"], asked)).code, 0);
    const out = await world.plane.muster(["status"], asked);
    assert.equal(out.code, 5, out.stderr);
  });

  it("lets one address begin only so often", async () => {
    const statuses = new Set<number>();
    for (let count = 0; count < 70; count += 1)
      statuses.add((await fetch(begin, { redirect: "manual" })).status);
    assert.deepEqual([...statuses], [302, 429]);
    const refused = await fetch(begin, { redirect: "manual" });
    assert.equal(((await refused.json()) as Problem).code, "request.rate-limited");
    assert.equal((await fetch(`${begin}/state`)).status, 200);
  });
});
