import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ScoredDevice } from "@muster/control-plane/health/book";
import { groupScore, tallyOf } from "@muster/control-plane/health/tally";
import fc from "fast-check";

const scored = (score: number, ...codes: ScoredDevice["health"]["reasons"][number]["code"][]): ScoredDevice =>
  ({
    device: { liveness: codes.includes("offline") ? "offline" : "online" },
    health: {
      score,
      reasons: codes.map((code) => ({ code, points: (100 - score) / codes.length, sentence: "." })),
    },
  }) as unknown as ScoredDevice;

describe("score of a group", () => {
  const cases: [string, number[], number | null][] = [
    ["no device", [], null],
    ["one device is its own score", [30], 30],
    ["of two the worse one", [100, 30], 30],
    ["of four the worst one", [100, 100, 100, 20], 20],
    ["of eight the worst two", [100, 100, 100, 100, 100, 100, 60, 20], 40],
    ["all well", [100, 100, 100, 100, 100], 100],
  ];
  for (const [what, scores, expected] of cases)
    test(what, () => {
      assert.equal(groupScore(scores.map((score) => scored(score))), expected);
    });

  test("one device that gets worse never makes the group better", () => {
    const scores = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1 });
    fc.assert(
      fc.property(scores, fc.nat(), fc.nat(100), (all, which, score) => {
        const at = which % all.length;
        const worse = all.with(at, Math.min(score, all[at]!));
        const of = (list: number[]) => groupScore(list.map((each) => scored(each)))!;
        assert.ok(of(worse) <= of(all));
      }),
    );
  });
});

test("what costs most comes first, with how many devices lack it", () => {
  const tally = tallyOf([
    scored(100),
    scored(85, "late"),
    scored(30, "offline"),
    scored(20, "crashes", "late"),
  ]);
  assert.deepEqual(
    tally.reasons.map(({ code, devices }) => [code, devices]),
    [
      ["offline", 1],
      ["late", 2],
      ["crashes", 1],
    ],
  );
  assert.deepEqual(tally.liveness, { online: 3, late: 0, offline: 1, flapping: 0 });
  assert.deepEqual(tally.scores, { good: 1, fair: 1, poor: 0, bad: 2 });
});
