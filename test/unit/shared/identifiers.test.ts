import assert from "node:assert/strict";
import { test } from "node:test";
import { type CatalogueEntry, catalogue, isMusterError } from "@muster/shared/errors";
import { deviceIdOf, hexOf, sha256 } from "@muster/shared/trust/digest";
import { formatJoinToken, parseJoinToken } from "@muster/shared/trust/join-token";
import fc from "fast-check";

test("a device id is d and the first 100 bits of the SHA-256 of the key in base32", () => {
  assert.equal(deviceIdOf(Buffer.from("abc")), "dxj4bnp4pahh6uqkbidpf");
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      assert.match(deviceIdOf(a), /^d[a-z2-7]{20}$/);
      assert.equal(deviceIdOf(a) === deviceIdOf(b), Buffer.from(a).equals(Buffer.from(b)));
    }),
  );
});

test("a digest names its algorithm", () => {
  const digest = sha256("abc");
  assert.equal(hexOf(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.ok(digest.startsWith("sha256:"));
});

test("a join token survives being copied", () => {
  const pin = "p".repeat(43);
  for (const rootPin of [null, "r".repeat(43)]) {
    const token = { id: "tok_12345", secret: "s".repeat(40), caPin: pin, rootPin };
    assert.deepEqual(parseJoinToken(` ${formatJoinToken(token)}\n`), token);
  }
  for (const text of ["", "muster1.a.b", "muster2.tok_12345.x", `muster1.tok_12345.${"s".repeat(40)}`])
    assert.throws(
      () => parseJoinToken(text),
      (error) => isMusterError(error, "token.invalid"),
    );
});

test("every error says what happened and what to do", () => {
  for (const [code, entry] of Object.entries<CatalogueEntry>(catalogue)) {
    assert.match(code, /^[a-z]+\.[a-z-]+$/);
    assert.match(entry.meaning, /^[A-Z].*\.$/, code);
    assert.match(entry.remedy, /^[A-Z].*\.$/, code);
    assert.ok(entry.status >= 400 && entry.status < 600, code);
  }
});
