import assert from "node:assert/strict";
import { test } from "node:test";
import { fullJitter } from "@muster/agent/backoff";
import fc from "fast-check";

const limits = { minMs: 1000, maxMs: 300_000 };

test("backoff: the ceiling doubles up to its limit", () => {
  const ceilings = [1, 2, 3, 4, 9, 10, 1000].map((tries) => fullJitter(limits, tries, 1));
  assert.deepEqual(ceilings, [1000, 2000, 4000, 8000, 256_000, 300_000, 300_000]);
});

test("backoff: every wait lies between zero and the ceiling", () => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (tries, random) => {
      const wait = fullJitter(limits, tries, random);
      assert.ok(wait >= 0 && wait <= 300_000);
    }),
  );
});
