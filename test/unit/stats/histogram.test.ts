import assert from "node:assert/strict";
import { test } from "node:test";
import { merged, quantile, shareFrom, total } from "@muster/shared/stats/histogram";
import { psi, psiThreshold } from "@muster/shared/stats/psi";
import fc from "fast-check";

const EDGES = [1, 2, 4, 8, 16];
const values = fc.array(fc.double({ min: 0, max: 30, noNaN: true }), { minLength: 1, maxLength: 200 });

function histogramOf(list: readonly number[]): number[] {
  const counts = EDGES.map(() => 0).concat(0);
  for (const value of list) {
    const bin = EDGES.findIndex((edge) => value < edge);
    const at = bin === -1 ? EDGES.length : bin;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}

test("merging is what one histogram of all values has", () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      assert.deepEqual(merged(histogramOf(a), histogramOf(b)), histogramOf([...a, ...b]));
    }),
  );
});

test("the true quantile lies between the bounds, and so does the interpolated one", () => {
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (list, share) => {
      const found = quantile(EDGES, histogramOf(list), share);
      const sorted = list.toSorted((a, b) => a - b);
      const truth = sorted[Math.ceil(share * list.length) - 1] ?? 0;
      assert.ok(found && found.lower <= truth && truth <= found.upper, JSON.stringify({ found, truth }));
      assert.ok(found.lower <= found.value && found.value <= found.upper);
    }),
  );
});

test("a quantile is interpolated within its bin", () => {
  assert.deepEqual(quantile(EDGES, [0, 0, 10, 0, 0, 0], 0.5), { value: 3, lower: 2, upper: 4 });
  assert.deepEqual(quantile(EDGES, [0, 0, 0, 0, 0, 3], 0.95), {
    value: 16,
    lower: 16,
    upper: Number.POSITIVE_INFINITY,
  });
  assert.equal(quantile(EDGES, [0, 0, 0, 0, 0, 0], 0.95), undefined);
});

test("the share from an edge on is exact", () => {
  fc.assert(
    fc.property(values, fc.constantFrom(...EDGES), (list, edge) => {
      const want = list.filter((value) => value >= edge).length / list.length;
      assert.ok(Math.abs(shareFrom(EDGES, histogramOf(list), edge) - want) < 1e-12);
    }),
  );
  assert.equal(shareFrom(EDGES, histogramOf([0.5, 3]), 0), 1);
  assert.equal(total(histogramOf([1, 2, 3])), 3);
});

test("PSI of two shares by hand", () => {
  const want = (0.5 - 0.25) * Math.log(2) + (0.5 - 0.75) * Math.log(0.5 / 0.75);
  assert.ok(Math.abs(psi([5e8, 5e8], [25e7, 75e7]) - want) < 1e-6);
});

test("PSI is symmetric, never negative, and zero for equal shares", () => {
  const counts = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(counts, counts, (a, b) => {
      assert.ok(Math.abs(psi(a, b) - psi(b, a)) < 1e-9);
      assert.ok(psi(a, b) >= 0);
      assert.equal(psi(a, a), 0);
    }),
  );
});

test("the threshold is the calibrated one, far from a fixed band", () => {
  const spread = (sum: number, bins: number) => Array.from({ length: bins }, () => sum / bins);
  for (const [n, bins, want] of [
    [100, 10, 0.2188],
    [100, 20, 0.3655],
    [1000, 10, 0.02383],
  ] as const)
    assert.ok(Math.abs(psiThreshold(spread(n, bins), spread(10_000, bins), 0.01) - want) < 2e-4);
  assert.equal(psiThreshold([], [1], 0.01), Number.POSITIVE_INFINITY);
});

test("the calibrated threshold is exceeded about as often as it says", () => {
  let state = 7;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const sample = (size: number) => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let index = 0; index < size; index += 1) counts[Math.floor(random() * 10)]! += 1;
    return counts;
  };
  const runs = 1000;
  let alarms = 0;
  for (let run = 0; run < runs; run += 1) {
    const [a, b] = [sample(200), sample(2000)];
    if (psi(a, b) > psiThreshold(a, b, 0.05)) alarms += 1;
  }
  assert.ok(alarms > 20 && alarms < 80, `${alarms} of ${runs}`);
});
