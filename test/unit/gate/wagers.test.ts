import assert from "node:assert/strict";
import { test } from "node:test";
import { drawer } from "@muster/control-plane/rollouts/gate/draw";
import { completeGate } from "@muster/control-plane/rollouts/gate/plan";
import { SortedValues } from "@muster/control-plane/rollouts/gate/sorted-values";
import { beginWager, placeRanks } from "@muster/control-plane/rollouts/gate/wager";
import { placeWagers, stakeLimit, type Wagers } from "@muster/control-plane/rollouts/gate/wagers";
import { logStake, NO_BETS, placeBet } from "@muster/shared/stats/rank-test";
import fc from "fast-check";
import { BLOCK_MS, counters, Fleet, fleetOf, member, NEW, OLD, OPENED_AT } from "./heartbeats.ts";

const plan = completeGate({ metrics: [{ metric: "error-rate", tolerance: 0 }], soakSeconds: 60 });
const inputOf = (fleet: ReturnType<typeof fleetOf>, blocks: number, more = {}) => ({
  plan,
  seed: 5,
  wave: 0,
  openedAt: OPENED_AT,
  exposures: fleet.exposures,
  now: OPENED_AT + blocks * BLOCK_MS + 3000,
  ...more,
});
const entriesOf = (wagers: Wagers) => wagers.rounds[0]?.tests[0]?.all.entries ?? 0;

test("each device is ranked once, however often one looks", () => {
  const fleet = fleetOf({ updated: 3, controls: 8, blocks: 4 }, (_, index) => ({ failures: index }));
  let wagers: Wagers | null = null;
  for (const blocks of [0, 1, 1.5, 3, 3, 4, 9]) {
    const before: Wagers | null = wagers;
    wagers = placeWagers(wagers, inputOf(fleet, blocks));
    assert.equal(placeWagers(wagers, inputOf(fleet, blocks)), wagers, "nothing new gives the same object");
    if (before && blocks === 1.5) assert.equal(wagers, before);
  }
  assert.equal(wagers && entriesOf(wagers), 3);
});

test("blocks that nobody looked at do not lose a device", () => {
  const fleet = fleetOf({ updated: 3, controls: 8, blocks: 4 }, (_, index) => ({ failures: index }));
  const early = placeWagers(null, inputOf(fleet, 1));
  assert.equal(entriesOf(early), 0);
  assert.equal(entriesOf(placeWagers(early, inputOf(fleet, 4))), 3);
});

test("the same evidence gives the same wagers, whatever the order it came in", () => {
  const measure = (_: unknown, index: number) => ({ failures: index % 3 });
  const one = fleetOf({ updated: 5, controls: 9 }, measure);
  const other = fleetOf({ updated: 5, controls: 9 }, measure);
  const members = [
    ...Array.from({ length: 9 }, (_, i) => `c${i}`),
    ...Array.from({ length: 5 }, (_, i) => `u${i}`),
  ];
  for (const device of members.reverse()) {
    const at = OPENED_AT + 1.6 * BLOCK_MS;
    const entry = counters(device.startsWith("u") ? NEW : OLD, { failures: Number(device.slice(1)) % 3 });
    one.beat(device, at, [entry]);
  }
  for (const device of members.reverse()) {
    const at = OPENED_AT + 1.6 * BLOCK_MS;
    const entry = counters(device.startsWith("u") ? NEW : OLD, { failures: Number(device.slice(1)) % 3 });
    other.beat(device, at, [entry]);
  }
  assert.deepEqual(placeWagers(null, inputOf(one, 2)), placeWagers(null, inputOf(other, 2)));
  assert.notDeepEqual(placeWagers(null, inputOf(one, 2)), placeWagers(null, inputOf(one, 2, { seed: 6 })));
});

test("a wager survives being stored as JSON", () => {
  const fleet = fleetOf({ updated: 3, controls: 8 }, (_, index) => ({ failures: index }));
  const wagers = placeWagers(null, inputOf(fleet, 2));
  assert.deepEqual(JSON.parse(JSON.stringify(wagers)), wagers);
});

test("the stake is spread over all devices and the classes that can be compared, settled before the first rank", () => {
  const fleet = new Fleet([
    ...Array.from({ length: 6 }, (_, index) => member(`ca${index}`, "control", "a")),
    ...Array.from({ length: 5 }, (_, index) => member(`cb${index}`, "control", "b")),
    ...Array.from({ length: 4 }, (_, index) => member(`cc${index}`, "control", "c")),
    ...Array.from({ length: 9 }, (_, index) => member(`cd${index}`, "control", "d")),
    member("ua", "updated", "a"),
    member("ub", "untold", "b"),
    member("uc", "updated", "c"),
  ]);
  assert.deepEqual(fleet.exposures.classes(5), ["a", "b"]);
  for (const at of [0.5, 1.5])
    for (const device of ["ua", "ub", "uc", ...Array.from({ length: 6 }, (_, index) => `ca${index}`)])
      fleet.beat(device, OPENED_AT + at * BLOCK_MS, [counters(device.startsWith("u") ? NEW : OLD)]);
  const wager = placeWagers(null, inputOf(fleet, 2)).rounds[0]?.tests[0];
  assert.deepEqual([wager?.all.entries, wager?.classes.a?.entries, wager?.classes.b?.entries], [1, 1, 0]);
  assert.deepEqual(Object.keys(wager?.classes ?? {}).sort(), ["a", "b"]);
});

test("the mean of the stakes is what counts, whichever class the ranks are of", () => {
  const rank = fc.record({
    on: fc.constantFrom("a", "b", "c"),
    rank: fc.double({ min: 1e-6, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(rank, { maxLength: 20 }), (ranks) => {
      let wager = beginWager(["a", "b"]);
      let highest = 0;
      const own = new Map([
        ["all", NO_BETS],
        ["a", NO_BETS],
        ["b", NO_BETS],
      ]);
      for (const { on, rank } of ranks) {
        wager = placeRanks(wager, on, [rank], 7);
        for (const name of ["all", on]) {
          const bets = own.get(name);
          if (bets) own.set(name, placeBet(bets, rank));
        }
        const stakes = [...own.values()].map((bets) => Math.exp(logStake(bets)));
        highest = Math.max(highest, Math.log(stakes.reduce((sum, stake) => sum + stake, 0) / 3));
        assert.ok(Math.abs(wager.peak - highest) < 1e-9, `${wager.peak} and ${highest}`);
        // Whenever the mean is at a height, at least one of its parts is or has been there.
        const parts = [wager.all, ...Object.values(wager.classes)].map(({ peak }) => peak);
        assert.ok(Math.max(...parts) >= wager.peak);
      }
      assert.deepEqual(Object.keys(wager.classes).sort(), ["a", "b"]);
    }),
  );
});

test("a new wave begins with a new stake", () => {
  const fleet = fleetOf({ updated: 3, controls: 8 }, (_, index) => ({ failures: index }));
  const wagers = placeWagers(null, inputOf(fleet, 2));
  const next = placeWagers(wagers, { ...inputOf(fleet, 0), wave: 1 });
  assert.deepEqual([next.wave, entriesOf(next)], [1, 0]);
});

test("of very many newcomers of one block a draw picks 500", () => {
  const fleet = fleetOf({ updated: 520, controls: 5 }, () => ({}));
  assert.equal(entriesOf(placeWagers(null, inputOf(fleet, 2))), 500);
});

test("fewer than five controls of the class make no rank", () => {
  const four = fleetOf({ updated: 3, controls: 4 }, () => ({}));
  const five = fleetOf({ updated: 3, controls: 5 }, () => ({}));
  assert.equal(entriesOf(placeWagers(null, inputOf(four, 2))), 0);
  assert.equal(entriesOf(placeWagers(null, inputOf(five, 2))), 3);
});

test("the false-alarm rate is shared out over metrics and rounds", () => {
  const metrics = [
    { metric: "error-rate", tolerance: 1 } as const,
    { metric: "drift", tolerance: 0.1 } as const,
  ];
  assert.equal(stakeLimit(completeGate({ metrics, falseAlarmPercent: 1, soakSeconds: 60 })), 200);
  assert.equal(stakeLimit(completeGate({ metrics, falseAlarmPercent: 2, soakSeconds: 3600 })), 200);
  assert.equal(stakeLimit(completeGate({ falseAlarmPercent: 1, soakSeconds: 60 })), 400);
});

test("sorted values count what is higher and what equals", () => {
  const value = fc.integer({ min: 0, max: 6 });
  fc.assert(
    fc.property(fc.array(value), fc.array(value), value, (fixed, added, asked) => {
      const sorted = new SortedValues(fixed);
      for (const one of added) sorted.add(one);
      const all = [...fixed, ...added];
      assert.equal(sorted.size, all.length);
      assert.deepEqual(sorted.compare(asked), {
        higher: all.filter((one) => one > asked).length,
        equal: all.filter((one) => one === asked).length,
      });
    }),
  );
});

test("draws are spread evenly over (0, 1], for neighbouring names and seeds too", () => {
  const bins = Array.from({ length: 20 }, () => 0);
  for (let seed = 0; seed < 20; seed += 1)
    for (let device = 0; device < 1000; device += 1) {
      const drawn = drawer(seed, "0/0/error-rate/")(`device-${device}`);
      assert.ok(drawn > 0 && drawn <= 1);
      bins[Math.min(19, Math.floor(drawn * 20))]! += 1;
    }
  const chiSquare = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  assert.ok(chiSquare < 43.8, `chi-square ${chiSquare} on 19 degrees of freedom`);
});
