import assert from "node:assert/strict";
import { test } from "node:test";
import { PaceBudget, type PaceState } from "@muster/control-plane/rollouts/admission/pace";
import type { Pace } from "@muster/control-plane/rollouts/plan";
import fc from "fast-check";

const MINUTE = 60_000;

/** Tells as many as it may at each of the moments; answers how many at each. */
function tell(
  pace: Pace,
  moments: readonly number[],
  tickMs: number,
  most = Number.POSITIVE_INFINITY,
): number[] {
  let state: PaceState | null = null;
  let notified = 0;
  return moments.map((now) => {
    const budget = new PaceBudget({ pace, state, notified, succeeded: 0, tickMs, now });
    const told = Math.min(budget.devices, most - notified);
    state = budget.after(told);
    notified += told;
    return told;
  });
}

const every = (tickMs: number, count: number) => Array.from({ length: count }, (_, index) => index * tickMs);
const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

for (const [rate, tickMs] of [
  [1, 1000],
  [50, 1000],
  [60, 1000],
  [90, 1000],
  [1000, 1000],
  [7, 30_000],
  [600, 250],
] as const)
  test(`${rate} a minute with a tick of ${tickMs} ms are ${rate} in each minute`, () => {
    const told = tell({ maximumPerMinute: rate }, every(tickMs, (10 * MINUTE) / tickMs + 1), tickMs);
    const perMinute = MINUTE / tickMs;
    for (let minute = 1; minute <= 10; minute += 1) {
      const sofar = sum(told.slice(0, minute * perMinute + 1));
      const start = Math.max(1, rate / perMinute);
      assert.ok(Math.abs(sofar - rate * minute - start) <= 1, `${sofar} told after ${minute} min`);
    }
  });

test("the example of AWS: base 50, factor 2, 1000 notified gives 50, 100, 200 and 400 a minute", () => {
  const pace: Pace = {
    maximumPerMinute: 1000,
    exponential: { baseRatePerMinute: 50, incrementFactor: 2, increaseAfter: { notified: 1000 } },
  };
  const told = tell(pace, every(1000, 60 * 60), 1000, 4000);
  const reached: number[] = [];
  let sofar = 0;
  for (const [second, count] of told.entries()) {
    sofar += count;
    while (sofar >= (reached.length + 1) * 1000 && reached.length < 4) reached.push(second / 60);
  }
  const minutes = reached.map((end, index) => end - (reached[index - 1] ?? 0));
  const rates = minutes.map((length) => Math.round(1000 / length / 10) * 10);
  assert.deepEqual(rates, [50, 100, 200, 400]);
  assert.ok(Math.abs((reached[3] ?? 0) - 37.5) < 0.2, `4000 devices took ${reached[3]} minutes, not 37.5`);
});

test("an exponential pace may grow with successes instead and stops at its maximum", () => {
  const pace: Pace = {
    maximumPerMinute: 60,
    exponential: { baseRatePerMinute: 10, incrementFactor: 3, increaseAfter: { succeeded: 5 } },
  };
  const inAMinute = (succeeded: number) =>
    new PaceBudget({
      pace,
      state: { credit: 0, at: 0 },
      notified: 1000,
      succeeded,
      tickMs: MINUTE,
      now: MINUTE,
    }).devices;
  assert.deepEqual([0, 4, 5, 9, 10, 1_000_000].map(inAMinute), [10, 10, 30, 30, 60, 60]);
});

test("no pace is no limit and keeps no state", () => {
  const budget = new PaceBudget({ pace: null, state: null, notified: 0, succeeded: 0, tickMs: 1000, now: 5 });
  assert.equal(budget.devices, Number.POSITIVE_INFINITY);
  assert.equal(budget.after(10_000), null);
});

test("time without candidates is no reserve: after a day a call brings what one tick brings", () => {
  const state = { credit: 0, at: 0 };
  const after = (rate: number) =>
    new PaceBudget({
      pace: { maximumPerMinute: rate },
      state,
      notified: 0,
      succeeded: 0,
      tickMs: 1000,
      now: 86_400_000,
    }).devices;
  assert.deepEqual([1, 60, 90, 600].map(after), [1, 1, 2, 10]);
});

test("the clock going back a little gives nothing, and a clock that was put back holds nobody for as long", () => {
  const input = { pace: { maximumPerMinute: 60 }, notified: 0, succeeded: 0, tickMs: 1000 };
  const little = new PaceBudget({ ...input, state: { credit: 0.5, at: 10_900 }, now: 10_000 });
  assert.equal(little.devices, 0);
  assert.equal(little.nextAt(0), 10_500);
  const far = new PaceBudget({ ...input, state: { credit: 0.5, at: 86_400_000 }, now: 10_000 });
  assert.equal(far.devices, 1);
  assert.deepEqual(far.after(1), { credit: 0, at: 10_000 });
});

test("whenever it is asked, never more than the rate brings plus one tick's burst, and no look is too early", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.constantFrom(250, 1000, 5000),
      gaps,
      (rate, tickMs, waits) => {
        const pace = { maximumPerMinute: rate };
        const moments = waits.map((_, index) => sum(waits.slice(0, index + 1)));
        const told = tell(pace, moments, tickMs);
        const perTick = (rate / MINUTE) * tickMs;
        for (const [index, from] of moments.entries()) {
          assert.ok((told[index] ?? 0) <= Math.max(1, Math.ceil(perTick)));
          for (let last = index; last < moments.length; last += 1) {
            const length = (moments[last] ?? 0) - from;
            const count = sum(told.slice(index, last + 1));
            assert.ok(count <= (rate * length) / MINUTE + perTick + 1 + 1e-6);
          }
        }
      },
    ),
  );
});

test("at the moment it names for the next device there is one, and just before there is none", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      (maximumPerMinute, credit) => {
        const input = {
          pace: { maximumPerMinute },
          state: { credit, at: 0 },
          notified: 0,
          succeeded: 0,
          tickMs: 1,
        };
        const next = new PaceBudget({ ...input, now: 0 }).nextAt(0);
        const at = (now: number) => new PaceBudget({ ...input, now }).devices;
        assert.equal(at(next) >= 1, true);
        assert.equal(at(next - 1), 0);
      },
    ),
  );
});
