import assert from "node:assert/strict";
import { test } from "node:test";
import { toHalf } from "@muster/agent/runner/half";
import { halfToNumber } from "@muster/agent/runner/monitoring/half-float";
import fc from "fast-check";

const KNOWN: [number, number][] = [
  [0, 0],
  [-0, 0x8000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65_504, 0x7bff],
  [65_520, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [2 ** -14, 0x0400],
  [0.1, 0x2e66],
  [1 / 3, 0x3555],
  [2049, 0x6800],
  [2051, 0x6802],
];
for (const [value, bits] of KNOWN)
  test(`${Object.is(value, -0) ? "-0" : value} is ${bits.toString(16)}`, () =>
    assert.equal(toHalf(value), bits));

test("all 65,536 patterns come back, and every NaN as one", () => {
  for (let bits = 0; bits < 65_536; bits++) {
    const value = halfToNumber(bits);
    assert.equal(toHalf(value), Number.isNaN(value) ? 0x7e00 : bits);
  }
});

test("no half float is nearer than the one taken", () => {
  fc.assert(
    fc.property(fc.double({ min: -65_000, max: 65_000, noNaN: true }), (value) => {
      const bits = toHalf(value);
      const distance = Math.abs(halfToNumber(bits) - value);
      for (const other of [bits - 1, bits + 1])
        if (other >= 0 && Number.isFinite(halfToNumber(other)))
          assert.ok(Math.abs(halfToNumber(other) - value) >= distance);
    }),
  );
});
