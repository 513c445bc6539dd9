import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { grantsOf, nameOf, type Rule } from "@muster/control-plane/people/oidc/mapping";
import { readOidcFile } from "@muster/control-plane/people/oidc/oidc-file";
import { challengeOf, OneTimeCodes } from "@muster/control-plane/people/oidc/one-time-codes";
import { SealedState } from "@muster/control-plane/people/oidc/sealed-state";
import { isMusterError } from "@muster/shared/errors";

const RULES: Rule[] = [
  { claim: "groups", value: "admins", role: "admin", site: "*" },
  { claim: "groups", value: "berlin", role: "operator", site: "eu/berlin" },
  { claim: "groups", value: "berlin", role: "viewer", site: "eu" },
  { claim: "email", value: "anna@example.org", role: "approver", site: "us" },
  { claim: "level", value: "3", role: "viewer", site: "*" },
];

describe("claims", () => {
  const TABLE: [what: string, claims: Record<string, unknown>, grants: string[]][] = [
    ["nothing", {}, []],
    ["another value", { groups: ["admin", "Admins", "admins "] }, []],
    ["one of several values", { groups: ["x", "admins"] }, ["admin at *"]],
    ["a single text", { groups: "berlin" }, ["operator at eu/berlin", "viewer at eu"]],
    ["values in one text", { groups: "x admins" }, []],
    ["an address that was checked", { email: "anna@example.org", email_verified: true }, ["approver at us"]],
    ["an address that was not", { email: "anna@example.org" }, []],
    ["an address that only says so", { email: "anna@example.org", email_verified: "true" }, []],
    ["a number", { level: 3 }, []],
    ["things that are no claims", { groups: { admins: true }, __proto__: { groups: "admins" } }, []],
  ];
  for (const [what, claims, grants] of TABLE)
    it(`with ${what} give ${grants.join(" and ") || "no role"}`, () => {
      assert.deepEqual(
        grantsOf(claims, RULES).map(({ role, site }) => `${role} at ${site}`),
        grants,
      );
    });

  it("say what to call somebody, without control characters", () => {
    const names = ["preferred_username", "email", "sub"];
    assert.equal(nameOf({ sub: "1", preferred_username: "  anna\u001b[31m " }, names), "anna[31m");
    assert.equal(nameOf({ sub: "1", preferred_username: 7, email: "" }, names), "1");
    assert.equal(nameOf({}, names), "somebody");
  });
});

describe("the file of the identity provider", () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-oidc-file-"));
  });
  after(() => rm(dir, { recursive: true }));
  const GOOD = {
    issuer: "https://id.example.org",
    clientId: "muster",
    publicUrl: "https://fleet.example.org",
    rules: [RULES[0]],
  };
  const write = async (content: unknown): Promise<string> => {
    const file = join(dir, "oidc.json");
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  };

  it("has defaults, and its secret in a file beside it", async () => {
    await writeFile(join(dir, "secret"), "hush\nnot this\n");
    const settings = await readOidcFile(await write({ ...GOOD, clientSecretFile: "secret" }));
    assert.equal(settings.clientSecret, "hush");
    assert.equal(settings.name, "id.example.org");
    assert.deepEqual(settings.scopes, ["openid", "profile", "email"]);
    assert.equal(settings.lifeMs, 8 * 3_600_000);
  });

  const BAD: [what: string, content: unknown][] = [
    ["no JSON", "{"],
    ["no rules", { ...GOOD, rules: [] }],
    ["a rule without a site", { ...GOOD, rules: [{ claim: "a", value: "b", role: "admin" }] }],
    ["a role that is none", { ...GOOD, rules: [{ ...RULES[0], role: "root" }] }],
    ["a member too many", { ...GOOD, clientSecret: "in the clear" }],
    ["an issuer in the clear", { ...GOOD, issuer: "http://id.example.org" }],
    ["a page in the clear", { ...GOOD, publicUrl: "http://fleet.example.org" }],
    ["an address that is none", { ...GOOD, issuer: "https://" }],
    ["a secret that is not there", { ...GOOD, clientSecretFile: "nowhere" }],
  ];
  for (const [what, content] of BAD)
    it(`is refused with ${what}`, async () => {
      const file = await write(content);
      await assert.rejects(readOidcFile(file), (error) => isMusterError(error, "settings.invalid"));
    });
});

describe("what a sign-in leaves with the browser", () => {
  it("opens here alone, unchanged, and for a time", () => {
    let now = 0;
    const state = new SealedState<{ nonce: string }>(1000, () => now);
    const sealed = state.seal({ nonce: "n" });
    assert.doesNotMatch(Buffer.from(sealed, "base64url").toString("latin1"), /nonce/);
    assert.deepEqual(state.open(sealed), { nonce: "n" });
    assert.equal(new SealedState(1000, () => now).open(sealed), undefined);
    for (const other of [undefined, "", "x", `${sealed}x`, sealed.slice(2), `A${sealed.slice(1)}B`])
      assert.equal(state.open(other), undefined, other);
    now = 1000;
    assert.equal(state.open(sealed), undefined);
  });

  it("is a code that is good once, for its verifier, and for a time", () => {
    let now = 0;
    const codes = new OneTimeCodes<string>(1000, () => now);
    const first = codes.issue("anna", challengeOf("v"));
    assert.equal(codes.redeem(first, "w"), undefined);
    assert.equal(codes.redeem(first, "v"), undefined, "a wrong try uses it up");
    const second = codes.issue("anna", challengeOf("v"));
    assert.equal(codes.redeem(second, "v"), "anna");
    assert.equal(codes.redeem(second, "v"), undefined);
    const third = codes.issue("anna", challengeOf("v"));
    now = 1000;
    assert.equal(codes.redeem(third, "v"), undefined);
  });

  it("never fills the memory", () => {
    const codes = new OneTimeCodes<number>(1000, () => 0);
    const all = Array.from({ length: 1001 }, (_, index) => codes.issue(index, challengeOf("v")));
    assert.equal(codes.redeem(all[0] ?? "", "v"), undefined);
    assert.equal(codes.redeem(all[1000] ?? "", "v"), 1000);
  });
});
