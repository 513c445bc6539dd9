import assert from "node:assert/strict";
import { test } from "node:test";
import {
  anytimePValue,
  logMean,
  logStake,
  logStakeBound,
  NO_BETS,
  placeBet,
  smoothedRank,
} from "@muster/shared/stats/rank-test";
import fc from "fast-check";

/** Integral over epsilon by Simpson's rule, for comparison. */
function stakeByIntegration(entries: number, sumLogRanks: number): number {
  const steps = 20_000;
  let sum = 0;
  for (let index = 0; index <= steps; index += 1) {
    const epsilon = index / steps;
    const product = epsilon ** entries * Math.exp((epsilon - 1) * sumLogRanks);
    sum += product * (index === 0 || index === steps ? 1 : index % 2 === 1 ? 4 : 2);
  }
  return sum / (3 * steps);
}

test("the stake is the integral it stands for", () => {
  for (const [entries, sumLogRanks] of [
    [0, 0],
    [1, -0.1],
    [1, Math.log(0.001)],
    [3, -12],
    [10, -9.5],
    [10, -40],
    [50, -48],
    [50, -100],
  ] as const) {
    const want = stakeByIntegration(entries, sumLogRanks);
    const got = Math.exp(logStake({ entries, sumLogRanks }));
    assert.ok(Math.abs(got / want - 1) < 1e-6, `${entries}, ${sumLogRanks}: ${got} is not ${want}`);
  }
});

test("one rank of 0.001 multiplies the stake by 20.8", () => {
  const p = 0.001;
  const want = (1 - p + p * Math.log(p)) / (p * Math.log(p) ** 2);
  const stake = Math.exp(logStake(placeBet(NO_BETS, p)));
  assert.ok(Math.abs(stake - want) < 1e-9 && Math.abs(stake - 20.8) < 0.05);
});

test("a stake of thousands of devices stays a number, and grows with smaller ranks", () => {
  let former = Number.NEGATIVE_INFINITY;
  for (const mean of [0.9, 1, 1.1, 1.5, 5, 20]) {
    const log = logStake({ entries: 50_000, sumLogRanks: -50_000 * mean });
    assert.ok(Number.isFinite(log) && (log > former || mean <= 1), `${mean}: ${log}`);
    former = log;
  }
  assert.ok(Number.isFinite(logStake({ entries: 1_000_000, sumLogRanks: -1_000_000 })));
});

test("the stake is continuous where the method of computing it changes", () => {
  for (const entries of [1, 10, 1000]) {
    const below = logStake({ entries, sumLogRanks: -(entries + 2 - 1e-9) });
    const above = logStake({ entries, sumLogRanks: -(entries + 2 + 1e-9) });
    assert.ok(Math.abs(above - below) < 1e-6);
  }
});

test("expected stake after one uniform rank is 1: nobody wins on average", () => {
  const steps = 2_000_000;
  let sum = 0;
  for (let index = 0; index < steps; index += 1) {
    // Midpoints in log space, since the stake grows without bound towards 0.
    const log = -30 * ((index + 0.5) / steps);
    sum += Math.exp(log) * Math.exp(logStake({ entries: 1, sumLogRanks: log })) * (30 / steps);
  }
  // Below e^-30 lies a thirtieth or so of the expectation, by integral of 1 / (p ln^2 p).
  assert.ok(Math.abs(sum + 1 / 30 - 1) < 1e-3, `${sum}`);
});

test("no stake is higher than its bound, and the bound is no higher than the best single bet", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 400 }),
      fc.double({ min: -2000, max: 0, noNaN: true }),
      (entries, sum) => {
        const bets = { entries, sumLogRanks: entries === 0 ? 0 : sum };
        const bound = logStakeBound(bets);
        assert.ok(logStake(bets) <= bound + 1e-9, `${logStake(bets)} over ${bound}`);
        const best = Math.max(
          ...Array.from({ length: 1001 }, (_, index) => {
            const epsilon = index / 1000;
            return (entries === 0 ? 0 : entries * Math.log(epsilon)) + (epsilon - 1) * bets.sumLogRanks;
          }),
        );
        assert.ok(bound >= best - 1e-9);
      },
    ),
  );
});

test("the mean of stakes, also of such that no number holds", () => {
  assert.ok(Math.abs(Math.exp(logMean([Math.log(1), Math.log(2), Math.log(6)])) - 3) < 1e-12);
  assert.equal(logMean([5, 5]), 5);
  assert.ok(Math.abs(logMean([2000, 0, 0, 0]) - (2000 - Math.log(4))) < 1e-9);
});

test("ranks of exchangeable values are uniform, ties or not", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
      fc.double({ min: 1e-9, max: 1, noNaN: true }),
      (list, random) => {
        // Over every choice of the newcomer and every tie, the chance of a rank of at most x is x: the mean is a half.
        const mean =
          list
            .map((value, own) => {
              const others = list.filter((_, index) => index !== own);
              const higher = others.filter((other) => other > value).length;
              const equal = others.filter((other) => other === value).length;
              const rank = (u: number) => smoothedRank(higher, equal, others.length, u);
              assert.ok(rank(random) > 0 && rank(random) <= 1);
              return (rank(0) + rank(1)) / 2;
            })
            .reduce((sum, rank) => sum + rank, 0) / list.length;
        assert.ok(Math.abs(mean - 0.5) < 1e-9);
      },
    ),
  );
});

test("the p value that may be looked at any time is one over the highest stake", () => {
  assert.equal(anytimePValue(0), 1);
  assert.equal(anytimePValue(-3), 1);
  assert.ok(Math.abs(anytimePValue(Math.log(200)) - 0.005) < 1e-12);
});
