import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { emptyTally } from "@muster/agent/inference/latency";
import { ServingCounters } from "@muster/agent/inference/serving";
import { LineCounters } from "@muster/agent/link/line-counters";
import { RecentHeartbeats } from "@muster/agent/link/recent-heartbeats";
import fc from "fast-check";

const edges = { latency: [1], confidence: [0.5] };
const tally = (inferences: number) => ({ ...emptyTally(edges), inferences });

let clock = 0;
beforeEach(() => {
  clock = 1000;
});

const short = (counters: ServingCounters) =>
  counters
    .take()
    .map(({ release, servingMs, crashes, inferences }) => [release, servingMs, crashes, inferences]);

describe("what each release did", () => {
  let counters: ServingCounters;
  beforeEach(() => {
    counters = new ServingCounters(
      edges,
      () => clock,
      () => null,
    );
  });

  test("is nothing while nothing is served", () => {
    clock += 500;
    assert.deepEqual(short(counters), []);
  });

  test("goes to each release at the very moment of the switch", () => {
    counters.serves("a");
    clock += 100;
    counters.serves("b");
    clock += 30;
    counters.count("a", tally(2));
    counters.count("b", tally(5));
    assert.deepEqual(short(counters), [
      ["a", 100, 0, 2],
      ["b", 30, 0, 5],
    ]);
    clock += 7;
    assert.deepEqual(short(counters), [["b", 7, 0, 0]]);
  });

  test("a crash ends the serving time until a runner is ready again", () => {
    counters.serves("a");
    clock += 100;
    counters.crashed("a");
    counters.serves(undefined);
    clock += 1000;
    counters.serves("a");
    clock += 1;
    assert.deepEqual(short(counters), [["a", 101, 1, 0]]);
  });

  test("parts of a millisecond are not lost", () => {
    counters.serves("a");
    let sum = 0;
    for (let step = 0; step < 100; step += 1) {
      clock += 0.3;
      counters.serves("a");
      for (const { servingMs } of counters.take()) sum += servingMs;
    }
    assert.ok(sum >= 29 && sum <= 30, String(sum));
  });

  test("one heartbeat tells of 4 releases at most, the next one of the others, 8 in all", () => {
    for (let release = 0; release < 10; release += 1) counters.crashed(`r${release}`);
    assert.deepEqual(
      short(counters).map(([release]) => release),
      ["r2", "r3", "r4", "r5"],
    );
    assert.deepEqual(
      short(counters).map(([release]) => release),
      ["r6", "r7", "r8", "r9"],
    );
  });

  test("whenever it is taken, serving time adds up to the time served", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("a", "b", undefined), fc.nat(1000), fc.boolean()));
    fc.assert(
      fc.property(steps, (all) => {
        const book = new ServingCounters(
          edges,
          () => clock,
          () => null,
        );
        const expected = new Map<string, number>();
        const told = new Map<string, number>();
        const take = () => {
          for (const { release, servingMs } of book.take())
            told.set(release!, (told.get(release!) ?? 0) + servingMs);
        };
        for (const [release, ms, taken] of all) {
          book.serves(release);
          clock += ms;
          if (release && ms > 0) expected.set(release, (expected.get(release) ?? 0) + ms);
          if (taken) take();
        }
        take();
        assert.deepEqual(told, expected);
      }),
    );
  });
});

describe("how the line fared", () => {
  test("connected time is a part of operational time", () => {
    const line = new LineCounters(() => clock);
    clock += 100;
    line.setConnected(true);
    line.synced(true);
    clock += 40;
    line.setConnected(false);
    line.synced(false);
    line.synced(false);
    clock += 5.5;
    assert.deepEqual(line.take(), { operationalMs: 145, connectedMs: 40, syncSucceeded: 1, syncFailed: 2 });
    clock += 0.5;
    assert.deepEqual(line.take(), { operationalMs: 1, connectedMs: 0, syncSucceeded: 0, syncFailed: 0 });
  });
});

describe("heartbeats that a dying connection may have swallowed", () => {
  test("go out again until a connection stood long enough behind them", () => {
    const recent = new RecentHeartbeats(100, () => clock);
    assert.deepEqual(recent.again(), []);
    recent.sends("1");
    clock += 60;
    recent.sends("2");
    clock += 60;
    recent.sends("3");
    assert.deepEqual(recent.again(), ["2", "3"]);
    clock += 1000;
    assert.deepEqual(recent.again(), ["2", "3"], "the line was down all the time");
    clock += 99;
    recent.sends("4");
    assert.deepEqual(recent.again(), ["2", "3", "4"]);
    clock += 100;
    recent.sends("5");
    assert.deepEqual(recent.again(), ["5"]);
  });

  test("are not more than 32", () => {
    const recent = new RecentHeartbeats(100, () => clock);
    for (let number = 0; number < 40; number += 1) recent.sends(String(number));
    assert.equal(recent.again().length, 32);
    assert.equal(recent.again()[0], "8");
  });
});
