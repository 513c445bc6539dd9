import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { Operators } from "@muster/control-plane/people/operators";
import { Sessions } from "@muster/control-plane/people/sessions";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { isMusterError } from "@muster/shared/errors";

const unauthorized = (error: unknown): boolean => isMusterError(error, "request.unauthorized");
const conflict = (error: unknown): boolean => isMusterError(error, "request.conflict");

describe("tokens and sessions", () => {
  let dir: string;
  let stores: Stores;
  let operators: Operators;
  let now = 1_000_000;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-tokens-"));
    stores = await openStores(dir);
    operators = new Operators(stores.control, () => now);
  });
  beforeEach(async () => {
    for (const table of ["sessions", "operator_tokens", "operators"] as const)
      await stores.control.deleteFrom(table).execute();
    await operators.ensureFirstToken();
  });
  after(async () => {
    await stores.close();
    await rm(dir, { recursive: true });
  });

  it("narrow their operator and never widen him, also after he was changed", async () => {
    const { operator } = await operators.create("ben", [{ role: "operator", site: "eu" }]);
    const { secret } = await operators.tokens.create(operator.id, {
      name: "ci",
      grants: [{ role: "admin", site: "eu/de" }],
    });
    const grants = async () => (await operators.tokens.authenticate(secret)).grants;
    assert.deepEqual(await grants(), [{ role: "operator", site: "eu/de" }]);
    await operators.change(operator.id, [{ role: "viewer", site: "*" }]);
    assert.deepEqual(await grants(), [{ role: "viewer", site: "eu/de" }]);
    await operators.change(operator.id, [{ role: "admin", site: "us" }]);
    assert.deepEqual(await grants(), []);
  });

  it("end when they are told to, and each by itself", async () => {
    const { operator, token } = await operators.create("ben");
    const { secret } = await operators.tokens.create(operator.id, { name: "ci", expiresAt: now + 1000 });
    await operators.tokens.authenticate(secret);
    now += 1000;
    await assert.rejects(operators.tokens.authenticate(secret), unauthorized);
    const again = await operators.tokens.create(operator.id, { name: "ci" });
    await assert.rejects(operators.tokens.create(operator.id, { name: "ci" }), conflict);
    await operators.revokeToken(operator.id, again.token.id);
    await assert.rejects(operators.tokens.authenticate(again.secret), unauthorized);
    await operators.tokens.authenticate(token);
    assert.deepEqual(
      (await operators.tokens.list(operator.id)).map(({ name, state }) => `${name} ${state}`).sort(),
      ["ci expired", "ci revoked", "first valid"],
    );
    await assert.rejects(operators.tokens.create(operator.id, { name: "x", expiresAt: now }), (error) =>
      isMusterError(error, "request.invalid"),
    );
  });

  it("keep somebody who can administer: with a token that neither ends nor narrows", async () => {
    const [first] = await operators.list();
    const id = first?.id ?? "";
    const [only] = await operators.tokens.list(id);
    const last = (error: unknown) => isMusterError(error, "operator.last-admin");
    const other = await operators.create("short", undefined, { name: "first", expiresAt: now + 1000 });
    await operators.tokens.create(other.operator.id, { name: "n", grants: [{ role: "viewer", site: "*" }] });
    await assert.rejects(operators.revoke(id), last);
    await assert.rejects(operators.revokeToken(id, only?.id ?? ""), last);
    await assert.rejects(operators.change(id, [{ role: "admin", site: "eu" }]), last);
    await operators.tokens.create(other.operator.id, { name: "good" });
    await operators.change(id, [{ role: "admin", site: "eu" }]);
  });

  const person = { issuer: "https://id.example.org", subject: "1", name: "first" };

  it("of people follow what the provider says, and their names stay apart", async () => {
    const anna = await operators.signIn(person, [{ role: "viewer", site: "*" }]);
    assert.equal(anna.name, "first (id.example.org)", "there is an operator of this name");
    const again = await operators.signIn(person, [{ role: "admin", site: "*" }]);
    assert.equal(again.id, anna.id);
    await assert.rejects(operators.change(anna.id, [{ role: "viewer", site: "*" }]), conflict);
    await operators.revoke(anna.id);
    await assert.rejects(operators.signIn(person, again.grants), (error) =>
      isMusterError(error, "access.denied"),
    );
  });

  it("of sessions end by time, by rest, by sign-out and with their operator", async () => {
    const sessions = new Sessions(stores.control, { lifeMs: 10_000_000, idleMs: 600_000 }, () => now);
    const anna = await operators.signIn(person, [{ role: "viewer", site: "*" }]);
    const begin = () => sessions.begin(anna.id, "page");
    const good = async ({ secret }: { secret: string }) => await sessions.authenticate(secret, "page");
    const bad = (session: { secret: string }, why: string) =>
      assert.rejects(sessions.authenticate(session.secret, "page"), unauthorized, why);

    const idle = await begin();
    now += 599_999;
    await good(idle);
    now += 600_000;
    await bad(idle, "rested for too long");

    const long = await begin();
    for (let spent = 0; spent < 9_900_000; spent += 300_000) {
      now += 300_000;
      await good(long);
    }
    now += 100_000;
    await bad(long, "lived for too long");

    const out = await begin();
    await sessions.end((await good(out)).credential);
    await bad(out, "signed out");

    const kind = await begin();
    await assert.rejects(
      sessions.authenticate(kind.secret, "cli"),
      unauthorized,
      "a page is no command line",
    );
    await bad({ secret: `${kind.secret}x` }, "another secret");

    const shut = await begin();
    await operators.shutOut(person);
    await bad(shut, "no rule fits any more");
    assert.deepEqual((await operators.find(anna.id)).grants, []);
  });
});
