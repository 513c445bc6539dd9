import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import {
  PowerPolicy,
  type PowerPolicyPayload,
  signPowerPolicy,
  verifyPowerPolicy,
} from "@muster/shared/protocol/power-policy";
import { validate } from "@muster/shared/protocol/validate";
import { signDirective } from "@muster/shared/trust/directive";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";

const key = signingKeyFrom(new Uint8Array(32).fill(1));
const stranger = signingKeyFrom(new Uint8Array(32).fill(2));
const payload: PowerPolicyPayload = {
  v: 1,
  device: "daaaaaaaaaaaaaaaaaaaa",
  generation: 5,
  issuedAt: 1_000,
  notAfter: 9_000,
  timeZone: "UTC",
  windows: [{ days: ["mon", "tue"], from: "22:00", to: "05:00", kind: "green" }],
  bestEffortOutside: "defer",
};
const context = { device: payload.device, generation: 4, keys: { [key.keyId]: key.publicKey }, now: 2_000 };

const asDirective = () => {
  const { device, generation, issuedAt, notAfter } = payload;
  const base = { v: 1, device, generation, issuedAt, notAfter, rollout: null, release: null, floor: 0 };
  return signDirective(base as never, key);
};

const table: [what: string, make: () => PowerPolicy, change: object, expected: string][] = [
  ["newer", () => signPowerPolicy(payload, key), {}, "newer"],
  ["the same again", () => signPowerPolicy(payload, key), { generation: 5 }, "current"],
  [
    "the same again after its end",
    () => signPowerPolicy(payload, key),
    { generation: 5, now: 9_000 },
    "current",
  ],
  ["older", () => signPowerPolicy(payload, key), { generation: 6 }, "policy.replayed"],
  ["past its end", () => signPowerPolicy(payload, key), { now: 9_000 }, "policy.expired"],
  [
    "for another",
    () => signPowerPolicy(payload, key),
    { device: "dbbbbbbbbbbbbbbbbbbbb" },
    "policy.wrong-audience",
  ],
  ["by a stranger", () => signPowerPolicy(payload, stranger), {}, "policy.signature-invalid"],
  [
    "changed after it was signed",
    () => ({ ...signPowerPolicy(payload, key), payload: { ...payload, bestEffortOutside: "run" } }),
    {},
    "policy.signature-invalid",
  ],
  [
    "with the signature of a directive",
    () => ({ ...asDirective(), payload }),
    {},
    "policy.signature-invalid",
  ],
];
for (const [what, make, change, expected] of table)
  test(`power policy ${what}: ${expected}`, () => {
    try {
      assert.equal(verifyPowerPolicy(make(), { ...context, ...change }), expected);
    } catch (error) {
      assert.ok(isMusterError(error), String(error));
      assert.equal(error.code, expected);
    }
  });

const shapes: [what: string, change: object][] = [
  ["17 windows", { windows: new Array(17).fill(payload.windows[0]) }],
  ["a window of no kind", { windows: [{ from: "22:00", to: "05:00" }] }],
  ["a time that is none", { windows: [{ from: "25:00", to: "05:00", kind: "cheap" }] }],
  ["an unknown member", { reach: 3 }],
  ["an unknown word", { bestEffortOutside: "shed" }],
];
for (const [what, change] of shapes)
  test(`power policy with ${what} is no power policy`, () => {
    const policy = { ...signPowerPolicy(payload, key), payload: { ...payload, ...change } };
    assert.throws(() => validate(PowerPolicy, policy, "wire.malformed"), /wire|payload/);
  });
