import assert from "node:assert/strict";
import { test } from "node:test";
import { chiSquareQuantile, chiSquareTail } from "@muster/shared/stats/chi-square";
import { incompleteGamma, logGamma } from "@muster/shared/stats/gamma";
import { hypergeometricTail } from "@muster/shared/stats/hypergeometric";
import fc from "fast-check";

function near(got: number, want: number, relative: number): void {
  assert.ok(Math.abs(got - want) <= relative * Math.max(1e-300, Math.abs(want)), `${got} is not ${want}`);
}

test("log gamma has its known values", () => {
  for (const [x, want] of [
    [0.5, 0.5723649429247001],
    [0.1, 2.252712651734206],
    [10, 12.801827480081469],
    [100, 359.1342053695754],
    [10_000, 82099.71749644238],
  ] as const)
    near(logGamma(x), want, 1e-13);
  assert.ok(Math.abs(logGamma(1)) < 1e-14);
});

test("log gamma keeps the recurrence", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 1e5, noNaN: true }), (x) => {
      assert.ok(
        Math.abs(logGamma(x + 1) - logGamma(x) - Math.log(x)) <= 1e-12 * Math.max(1, logGamma(x + 1)),
      );
    }),
  );
});

test("chi-square quantiles are those of the tables (NIST e-Handbook 1.3.6.7.4)", () => {
  for (const [tail, df, want] of [
    [0.05, 1, 3.841458820694124],
    [0.01, 9, 21.665994333461924],
    [0.01, 10, 23.209251158954356],
    [0.05, 19, 30.14352720564616],
    [0.001, 12, 32.90949040736021],
    [0.95, 10, 3.940299136119059],
    [0.001, 100, 149.4492528035684],
  ] as const)
    near(chiSquareQuantile(tail, df), want, 1e-9);
});

test("a chi-square quantile has the tail that was asked for", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-12, max: 0.999, noNaN: true }),
      fc.integer({ min: 1, max: 400 }),
      (tail, df) => near(chiSquareTail(chiSquareQuantile(tail, df), df), tail, 1e-6),
    ),
  );
});

test("both incomplete gamma functions add up to one", () => {
  const positive = fc.double({ min: 0.01, max: 5000, noNaN: true });
  fc.assert(
    fc.property(positive, positive, (a, x) => {
      const { lower, upper } = incompleteGamma(a, x);
      assert.ok(lower >= 0 && upper >= 0 && Math.abs(lower + upper - 1) < 1e-9);
    }),
  );
  // P(1, x) is the exponential distribution.
  near(incompleteGamma(1, 50).upper, Math.exp(-50), 1e-12);
  near(incompleteGamma(1, 1e-9).lower, 1e-9, 1e-8);
});

test("Fisher's lady tasting tea", () => {
  const cups = { population: 8, failures: 4, drawn: 4 };
  near(hypergeometricTail({ ...cups, hits: 4 }), 1 / 70, 1e-12);
  near(hypergeometricTail({ ...cups, hits: 3 }), 17 / 70, 1e-12);
  assert.equal(hypergeometricTail({ ...cups, hits: 0 }), 1);
});

test("a tail of a whole fleet stays a number", () => {
  const chance = hypergeometricTail({ population: 100_000, failures: 500, drawn: 400, hits: 60 });
  assert.ok(chance > 0 && chance < 1e-60, `${chance}`);
});

test("the tail equals the sum over all tables, for small populations", () => {
  const choose = (n: number, k: number): number =>
    k < 0 || k > n ? 0 : k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k;
  const small = fc.integer({ min: 0, max: 14 });
  fc.assert(
    fc.property(small, small, small, small, (population, a, b, hits) => {
      const failures = Math.min(a, population);
      const drawn = Math.min(b, population);
      let want = 0;
      for (let k = hits; k <= drawn; k += 1)
        want += (choose(failures, k) * choose(population - failures, drawn - k)) / choose(population, drawn);
      assert.ok(Math.abs(hypergeometricTail({ population, failures, drawn, hits }) - want) < 1e-9);
    }),
  );
});
