import assert from "node:assert/strict";
import { test } from "node:test";
import { SortedValues } from "@muster/control-plane/rollouts/gate/sorted-values";
import { beginWager, placeRanks } from "@muster/control-plane/rollouts/gate/wager";
import { logStake, NO_BETS, placeBet, smoothedRank } from "@muster/shared/stats/rank-test";
import { Random } from "../../bench/false-alarms/random.ts";
import { watch } from "../../bench/false-alarms/watch.ts";
import { world } from "../../bench/false-alarms/world.ts";
import { FAULTY_WORLDS, SAME_WORLDS } from "../../bench/false-alarms/worlds.ts";

/** Alarms that a test with this chance exceeds in one of 700 series, by the normal approximation. */
const bound = (runs: number, chance: number): number =>
  runs * chance + 3 * Math.sqrt(runs * chance * (1 - chance));

/** Sequential ranks of newcomers that are like those before them, whatever `draw` makes them like. */
function stakesOf(
  runs: number,
  controls: number,
  newcomers: number,
  draw: (random: Random) => number,
): number {
  let alarms = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const random = new Random(seed);
    const before = new SortedValues(Array.from({ length: controls }, () => draw(random)));
    let bets = NO_BETS;
    for (let index = 0; index < newcomers; index += 1) {
      const value = draw(random);
      const { higher, equal } = before.compare(value);
      bets = placeBet(bets, smoothedRank(higher, equal, before.size, 1 - random.uniform()));
      before.add(value);
      if (logStake(bets) >= Math.log(20)) {
        alarms += 1;
        break;
      }
    }
  }
  return alarms;
}

for (const [what, draw] of [
  ["light tails", (random: Random) => random.normal()],
  ["heavy tails", (random: Random) => random.heavy()],
  ["hardly anything but ties", (random: Random) => (random.chance(0.03) ? 1 : 0)],
] as const)
  for (const controls of [1, 5, 50])
    test(`10,000 null series, ${what}, ${controls} controls: the stake reaches 20 in at most 5 %`, () => {
      const runs = 10_000;
      const alarms = stakesOf(runs, controls, 30, draw);
      assert.ok(alarms <= bound(runs, 0.05), `${alarms} of ${runs}`);
    });

for (const classes of [1, 3, 8])
  test(`5,000 null waves of ${classes} hardware classes: the mean of the stakes reaches 20 in at most 5 %`, () => {
    const runs = 5_000;
    const names = Array.from({ length: classes }, (_, index) => `class-${index}`);
    let alarms = 0;
    for (let seed = 1; seed <= runs; seed += 1) {
      const random = new Random(seed);
      let wager = beginWager(names);
      for (let index = 0; index < 30; index += 1) {
        const name = `class-${Math.floor(random.uniform() * classes)}`;
        wager = placeRanks(wager, name, [1 - random.uniform()], 9);
      }
      if (wager.peak >= Math.log(20)) alarms += 1;
    }
    assert.ok(alarms <= bound(runs, 0.05), `${alarms} of ${runs}`);
  });

const RUNS = 40;
const NOMINAL = 0.05;

test("a release that is no worse is stopped no more often than the plan says, looked at all the time", () => {
  let all = 0;
  let naive = 0;
  for (const same of SAME_WORLDS) {
    let violated = 0;
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const seen = watch(same, seed, 100 * NOMINAL);
      if (seen.violatedAt !== null) violated += 1;
      if (seen.naive) naive += 1;
    }
    assert.ok(violated <= bound(RUNS, NOMINAL), `${same.name}: ${violated} of ${RUNS}`);
    all += violated;
  }
  const runs = RUNS * SAME_WORLDS.length;
  assert.ok(all <= bound(runs, NOMINAL), `${all} of ${runs}`);
  assert.ok(naive > 0.3 * runs, `the naive test stops ${naive} of ${runs}, so this is no easy world`);
});

test("real regressions are found within the wave", () => {
  for (const faulty of FAULTY_WORLDS) {
    // Boxes that differ by more than the fault hide it; the others must not.
    if (faulty.name === "latency x 2, 12 of 72" || faulty.updated === 4) continue;
    let found = 0;
    let named = 0;
    const onClass = faulty.fault?.onClass ?? "linux-x64";
    for (let seed = 1; seed <= 20; seed += 1) {
      const seen = watch(faulty, seed, 1);
      if (seen.violatedAt !== null) found += 1;
      if (seen.named.join() === onClass) named += 1;
    }
    // Some of the waves have but three or four devices of the class.
    const least = faulty.classes.length > 1 ? 9 : 16;
    assert.ok(found >= least, `${faulty.name}: ${found} of 20`);
    assert.ok(named >= found - 2, `${faulty.name}: only ${onClass} is named in ${named} of ${found}`);
  }
});

test("the same seed gives the same wave", () => {
  const faulty = world({ name: "faulty", fault: { errors: 0.1 } });
  assert.deepEqual(watch(faulty, 3, 1), watch(faulty, 3, 1));
});
