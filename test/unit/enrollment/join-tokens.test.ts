import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { findToken, tokenRefusal } from "@muster/control-plane/enrollment/join-tokens";
import type { JoinTokensTable } from "@muster/control-plane/storage/tables/fleet";
import { isMusterError } from "@muster/shared/errors";

const now = 1_000_000;
const row: JoinTokensTable = {
  id: "token-id",
  secret_hash: createHash("sha256").update("the secret").digest("hex"),
  site: "s",
  labels: "{}",
  uses: 2,
  uses_left: 1,
  created_at: 0,
  expires_at: now + 1,
  revoked_at: null,
  min_assurance: "software",
  replaces: null,
};

describe("join token", () => {
  const states: [string, Partial<JoinTokensTable>, string | undefined][] = [
    ["in force", {}, undefined],
    ["at its end", { expires_at: now }, "token.expired"],
    ["without uses left", { uses_left: 0 }, "token.spent"],
    ["revoked", { revoked_at: 5 }, "token.revoked"],
    ["spent and expired", { uses_left: 0, expires_at: 1 }, "token.expired"],
    ["revoked and expired", { revoked_at: 5, expires_at: 1 }, "token.revoked"],
  ];
  for (const [name, change, expected] of states)
    it(`${name}: ${expected ?? "good"}`, () =>
      assert.equal(tokenRefusal({ ...row, ...change }, now), expected));

  const texts: [string, boolean][] = [
    ["token-id.the secret", true],
    ["token-id.another", false],
    ["token-id.", false],
    ["token-id", false],
    [".the secret", false],
    ["other.the secret", false],
    ["token-id.the secret.", false],
    ["", false],
    [`token-id.${row.secret_hash}`, false],
  ];
  for (const [text, good] of texts)
    it(`${good ? "finds" : "does not find"} it by "${text}"`, () => {
      const find = () => findToken(text, (id) => (id === row.id ? row : undefined));
      if (good) assert.equal(find(), row);
      else assert.throws(find, (error) => isMusterError(error, "token.invalid"));
    });
});
