import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestControlPlane } from "../../support/operator/control-plane.ts";

interface Token {
  id: string;
  name: string;
  state: string;
  expiresAt: number | null;
  grants: { role: string; site: string }[] | null;
}
interface Made {
  token: Token;
  secret: string;
}

describe("muster operator", () => {
  let plane: TestControlPlane;
  before(async () => {
    plane = await TestControlPlane.start();
  });
  after(() => plane.close());

  const as = (token: string) => ({ MUSTER_TOKEN: token });
  const asked = async (token: string, ...args: string[]) =>
    await plane.muster([...args, "--json"], as(token));
  async function made(token: string, ...args: string[]): Promise<Made> {
    const { code, stdout, stderr } = await asked(token, "operator", "token", "create", ...args);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Made;
  }
  const day = 86_400_000;

  it("creates operators with roles, changes and revokes them by name", async () => {
    const { token } = await plane.json<{ token: string }>(
      ...["operator", "create", "ben", "--grant", "operator@eu/de", "--grant", "viewer@*"],
    );
    assert.equal((await asked(token, "device", "list")).code, 0);
    const refused = await asked(token, "operator", "list");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /access\.denied/);
    await plane.json("operator", "grant", "ben", "--grant", "admin@*");
    assert.equal((await asked(token, "operator", "list")).code, 0);
    await plane.json("operator", "revoke", "ben");
    assert.equal((await asked(token, "status")).code, 5);
    const wrong = await plane.muster(["operator", "create", "x", "--grant", "root@*"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /no grant: write ROLE@SITE/);
  });

  it("makes own tokens that do no more than the one that is used, and end no later", async () => {
    const narrow = await made(plane.token, "ci", "--grant", "operator@eu", "--expires", "2d");
    assert.deepEqual(narrow.token.grants, [{ role: "operator", site: "eu" }]);
    const wider = await made(narrow.secret, "wide", "--grant", "admin@*", "--expires", "30d");
    assert.deepEqual(wider.token.grants, [{ role: "operator", site: "eu" }]);
    assert.equal(wider.token.expiresAt, narrow.token.expiresAt);
    const same = await made(narrow.secret, "same");
    assert.deepEqual(same.token.grants, [{ role: "operator", site: "eu" }]);
    assert.ok((same.token.expiresAt ?? Number.POSITIVE_INFINITY) <= Date.now() + 2 * day);
    const elsewhere = await asked(
      narrow.secret,
      ...["operator", "token", "create", "us", "--grant", "viewer@us"],
    );
    assert.match(elsewhere.stderr, /access\.denied/);
    const others = await asked(
      narrow.secret,
      ...["operator", "token", "create", "theirs", "--operator", "first"],
    );
    assert.match(others.stderr, /access\.denied/);
    await plane.json("operator", "token", "revoke", narrow.token.id);
    assert.equal((await asked(narrow.secret, "status")).code, 5);
    const tokens = await plane.json<Token[]>("operator", "token", "list");
    assert.deepEqual(tokens.map(({ name, state }) => `${name} ${state}`).sort(), [
      "ci revoked",
      "first valid",
      "same valid",
      "wide valid",
    ]);
  });

  it("ends own tokens only with one that allows as much", async () => {
    const strong = await made(plane.token, "strong");
    const weak = await made(plane.token, "weak", "--grant", "viewer@eu");
    const refused = await asked(weak.secret, "operator", "token", "revoke", strong.token.id);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /access\.denied.*allows more/s);
    assert.equal((await asked(strong.secret, "operator", "token", "revoke", weak.token.id)).code, 0);
    assert.equal((await asked(weak.secret, "status")).code, 5);
    assert.equal((await asked(strong.secret, "operator", "token", "revoke", strong.token.id)).code, 0);
    assert.equal((await asked(strong.secret, "status")).code, 5);
  });
});
