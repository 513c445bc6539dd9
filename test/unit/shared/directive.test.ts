import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import {
  type DirectiveContext,
  type DirectivePayload,
  signDirective,
  verifyDirective,
} from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";

const key = signingKeyFrom(Buffer.alloc(32, 1));
const stranger = signingKeyFrom(Buffer.alloc(32, 2));
const device = "dabcdefghijklmnopqrst";

const payload: DirectivePayload = {
  v: 1,
  device,
  generation: 5,
  issuedAt: 1000,
  notAfter: 9000,
  rollout: null,
  release: { name: "vibration", version: "1.1.0", sequence: 3, digest: `sha256:${"a".repeat(64)}` },
  floor: 2,
  shadow: null,
};
const context: DirectiveContext = {
  device,
  generation: 4,
  floor: 1,
  keys: { [key.keyId]: key.publicKey },
  now: 2000,
};

test("a good directive is newer, and current when it comes again", () => {
  const directive = signDirective(payload, key);
  assert.equal(verifyDirective(directive, context), "newer");
  assert.equal(verifyDirective(directive, { ...context, generation: 5 }), "current");
});

test("a current directive stays current after it expired: what runs goes on", () => {
  assert.equal(
    verifyDirective(signDirective(payload, key), { ...context, generation: 5, now: 99_999 }),
    "current",
  );
});

const refusals: [ErrorCode, Partial<DirectivePayload>, Partial<DirectiveContext>][] = [
  ["directive.wrong-audience", { device: "dzzzzzzzzzzzzzzzzzzzz" }, {}],
  ["directive.replayed", {}, { generation: 6 }],
  ["directive.expired", {}, { now: 9000 }],
  ["directive.below-floor", {}, { floor: 4 }],
  ["directive.below-floor", { floor: 4 }, {}],
];

for (const [code, change, against] of refusals)
  test(`refused with ${code}: ${JSON.stringify({ ...change, ...against })}`, () => {
    const directive = signDirective({ ...payload, ...change }, key);
    assert.throws(
      () => verifyDirective(directive, { ...context, ...against }),
      (error) => isMusterError(error, code),
    );
  });

test("refused without a good signature of a trusted key", () => {
  const good = signDirective(payload, key);
  const bad = [
    signDirective(payload, stranger),
    { ...signDirective(payload, stranger), keyId: key.keyId },
    { ...good, payload: { ...payload, generation: 50 } },
    { ...good, signature: "0".repeat(128) },
    { ...good, keyId: "constructor" },
  ];
  for (const directive of bad)
    assert.throws(
      () => verifyDirective(directive, context),
      (error) => isMusterError(error, "directive.signature-invalid"),
    );
});
