import assert from "node:assert/strict";
import { test } from "node:test";
import { EffectiveSize } from "@muster/shared/stats/effective-size";
import fc from "fast-check";
import { Random } from "../../bench/false-alarms/random.ts";

const BINS = 15;

/** Of values of a first-order autoregression, in bins of equal width over three standard deviations each way. */
function worth(correlation: number, count: number, seed: number): number {
  const random = new Random(seed);
  const size = new EffectiveSize();
  const counts = new Array<number>(BINS).fill(0);
  let state = random.normal();
  for (let index = 0; index < count; index += 1) {
    state = correlation * state + Math.sqrt(1 - correlation ** 2) * random.normal();
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor(((state + 3) / 6) * BINS)));
    counts[bin]! += 1;
    size.add(bin);
  }
  return size.take(counts);
}

test("values of a first-order process are worth what the formula says", () => {
  for (const [correlation, share] of [
    [0, 1],
    [0.5, 1 / 3],
    [0.9, 1 / 19],
  ] as const) {
    const got = worth(correlation, 20_000, 3) / 20_000;
    assert.ok(Math.abs(got / share - 1) < 0.15, `${correlation}: ${got}, not ${share}`);
  }
});

test("values that alternate are worth no more than they are, those of one scene almost nothing", () => {
  const size = new EffectiveSize();
  for (let index = 0; index < 1000; index += 1) size.add(index % 2);
  assert.equal(size.take([500, 500]), 1000);
  for (let index = 0; index < 1000; index += 1) size.add(index < 500 ? 3 : 9);
  assert.ok(size.take([0, 0, 0, 500, 0, 0, 0, 0, 0, 500]) < 5);
  for (let index = 0; index < 1000; index += 1) size.add(4);
  assert.equal(size.take([0, 0, 0, 0, 1000]), 1000, "one bin throughout: nothing varies");
});

test("it is never more than was counted nor less than one, and begins anew", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(BINS - 1), { minLength: 1, maxLength: 300 }), (values) => {
      const size = new EffectiveSize();
      for (let round = 0; round < 2; round += 1) {
        const counts = new Array<number>(BINS).fill(0);
        for (const value of values) {
          counts[value]! += 1;
          size.add(value);
        }
        const got = size.take(counts);
        assert.ok(got >= 1 && got <= values.length, `${got} of ${values.length}`);
      }
      assert.equal(size.take([]), 0);
    }),
  );
});
