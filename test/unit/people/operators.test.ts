import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { Operators } from "@muster/control-plane/people/operators";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { isMusterError } from "@muster/shared/errors";

const unauthorized = (error: unknown): boolean => isMusterError(error, "request.unauthorized");

describe("operators", () => {
  let dir: string;
  let stores: Stores;
  let operators: Operators;
  let now = 1_000_000;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-operators-"));
    stores = await openStores(dir);
    operators = new Operators(stores.control, () => now);
  });
  beforeEach(async () => {
    await stores.control.deleteFrom("operator_tokens").execute();
    await stores.control.deleteFrom("operators").execute();
  });
  after(async () => {
    await stores.close();
    await rm(dir, { recursive: true });
  });

  it("tells the first token once, and a lost one does not come back", async () => {
    const token = await operators.ensureFirstToken();
    assert.match(token ?? "", /^muop1\.optoken_[A-Za-z0-9_-]{12}\.[A-Za-z0-9_-]{43}$/);
    assert.equal(await operators.ensureFirstToken(), undefined);
    assert.equal((await operators.tokens.authenticate(token)).name, "first");
  });

  it("gives a name again only after its operator was revoked", async () => {
    await operators.create("bob");
    const { operator } = await operators.create("alice");
    await assert.rejects(operators.create("alice"), (error) => isMusterError(error, "request.conflict"));
    await operators.revoke(operator.id);
    await operators.create("alice");
  });

  it("refuses every token that is not exactly one that was made", async () => {
    const { token } = await operators.create("alice");
    const other = await operators.create("bob");
    const [prefix, id, secret = ""] = token.split(".");
    const wrong = [
      undefined,
      "",
      ".",
      "..",
      token.slice(0, -1),
      `${token}x`,
      `${token}.more`,
      `x${token}`,
      `${prefix}.${id}.`,
      `${prefix}.${other.token.split(".")[1]}.${secret}`,
      `muop2.${id}.${secret}`,
      `${prefix}.' OR 1=1 --.${secret}`,
      token.toUpperCase(),
    ];
    for (const each of wrong)
      await assert.rejects(operators.tokens.authenticate(each), unauthorized, String(each));
  });

  it("lets operators look when the database takes no writes any more", async () => {
    const { token } = await operators.create("alice");
    stores.controlRaw.pragma("query_only = ON");
    try {
      assert.equal((await operators.tokens.authenticate(token)).name, "alice");
    } finally {
      stores.controlRaw.pragma("query_only = OFF");
    }
  });

  it("keeps no secret in the database file", async () => {
    const { token } = await operators.create("alice");
    stores.controlRaw.pragma("wal_checkpoint(TRUNCATE)");
    const file = await readFile(join(dir, "control.db"), "latin1");
    assert.ok(!file.includes(token.split(".")[2] ?? ""));
  });

  it("revokes for good, once, and never the last who can sign in", async () => {
    const alice = await operators.create("alice");
    const bob = await operators.create("bob");
    const first = await operators.revoke(alice.operator.id);
    now += 5000;
    assert.deepEqual(await operators.revoke(alice.operator.id), first);
    await assert.rejects(operators.tokens.authenticate(alice.token), unauthorized);
    await assert.rejects(operators.revoke(bob.operator.id), (error) =>
      isMusterError(error, "operator.last-admin"),
    );
    await assert.rejects(operators.revoke("nobody"), (error) => isMusterError(error, "request.not-found"));
    assert.equal((await operators.tokens.authenticate(bob.token)).name, "bob");
  });

  it("lets an admin go over to a token that he made with his token", async () => {
    const { operator, token } = await operators.create("alice");
    for (const { id, name } of await operators.list()) if (name !== "alice") await operators.revoke(id);
    const made = await operators.tokens.create(operator.id, {
      name: "new",
      grants: [{ role: "admin", site: "*" }],
    });
    const [, former = ""] = token.split(".");
    await operators.revokeToken(operator.id, former);
    await assert.rejects(operators.revokeToken(operator.id, made.token.id), (error) =>
      isMusterError(error, "operator.last-admin"),
    );
  });

  it("calls no two people the same", async () => {
    const issuer = "https://id.example.org/";
    const names: string[] = [];
    for (const subject of ["1", "2", "3", "2"])
      names.push((await operators.signIn({ issuer, subject, name: "anna" }, [])).name);
    assert.deepEqual(names, [
      "anna",
      "anna (id.example.org)",
      "anna (id.example.org, 2)",
      "anna (id.example.org)",
    ]);
  });

  it("writes when a token was last used, and not with every request", async () => {
    const { token, operator } = await operators.create("alice");
    const lastUsed = async () => (await operators.list()).find(({ id }) => id === operator.id)?.lastUsedAt;
    await operators.tokens.authenticate(token);
    const first = now;
    now += 59_999;
    await operators.tokens.authenticate(token);
    assert.equal(await lastUsed(), first);
    now += 1;
    await operators.tokens.authenticate(token);
    assert.equal(await lastUsed(), now);
  });
});
