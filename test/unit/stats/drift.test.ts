import assert from "node:assert/strict";
import { test } from "node:test";
import { type AlarmState, afterWindow, judgeDrift, NO_ALARM } from "@muster/shared/stats/drift";
import fc from "fast-check";

const RULE = { alpha: 0.01, minPsi: 0.05 };
const flat = (bins: number, each: number): number[] => new Array<number>(bins).fill(each);

test("equal shares drift nowhere, at any sample size", () => {
  for (const each of [1, 10, 1_000, 100_000]) {
    const [judged] = judgeDrift({ f: flat(10, 100) }, { f: flat(10, each) }, RULE);
    assert.equal(judged?.band, "none");
    assert.ok(judged.psi < 1e-3);
  }
});

test("drift needs both more than chance and a size of effect", () => {
  const expected = { f: flat(10, 1_000) };
  const shifted = [60, 70, 80, 90, 100, 100, 110, 120, 130, 140];
  const judge = (factor: number, rule = RULE) =>
    judgeDrift(expected, { f: shifted.map((count) => Math.round(count * factor)) }, rule)[0]!;
  assert.equal(judge(0.05).band, "none", "50 values prove nothing");
  assert.equal(judge(1).band, "slight");
  assert.equal(judge(1, { alpha: 0.01, minPsi: 0.2 }).band, "none", "sure, and too small to matter");
});

test("bands follow the size of effect", () => {
  const expected = { f: [500, 500] };
  const of = (low: number) => judgeDrift(expected, { f: [low * 10_000, (1 - low) * 10_000] }, RULE)[0]!.band;
  assert.deepEqual([0.5, 0.38, 0.33, 0.25, 0.05].map(of), ["none", "slight", "moderate", "severe", "severe"]);
});

test("features without a reference of equal bins, or without values, are left out", () => {
  const judged = judgeDrift(
    { a: [5, 5], b: [5, 5, 5], c: [5, 5] },
    { a: [9, 9], b: [9, 9], c: [0, 0], d: [1, 1] },
    RULE,
  );
  assert.deepEqual(
    judged.map(({ feature }) => feature),
    ["a"],
  );
});

test("the threshold is shared out over features: more of them ask for more", () => {
  const one = judgeDrift({ a: flat(10, 50) }, { a: flat(10, 20) }, RULE)[0]!;
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const all = (each: number) => Object.fromEntries(names.map((name) => [name, flat(10, each)]));
  const eight = judgeDrift(all(50), all(20), RULE)[0]!;
  assert.ok(eight.threshold > one.threshold);
});

const after = (verdicts: readonly boolean[], rule: { alarmWindows: number; ofWindows: number }): AlarmState =>
  verdicts.reduce((state, drifted) => afterWindow(state, drifted, rule), NO_ALARM);

test("an alarm takes k of the last m windows and ends after as many good ones in a row", () => {
  const rule = { alarmWindows: 3, ofWindows: 5 };
  const [y, n] = [true, false];
  const rows: [boolean[], boolean][] = [
    [[y, y], false],
    [[y, y, y], true],
    [[y, n, y, n, y], true],
    [[y, y, n, n, n, y], false],
    [[y, y, y, n, n], true],
    [[y, y, y, n, y, n, n], true],
    [[y, y, y, n, n, n], false],
  ];
  for (const [verdicts, alarm] of rows) assert.equal(after(verdicts, rule).alarm, alarm, verdicts.join());
});

test("whatever comes, the state stays bounded and an alarm never begins with a good window", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { maxLength: 60 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 8 }),
      (verdicts, alarmWindows, ofWindows) => {
        let state = NO_ALARM;
        for (const drifted of verdicts) {
          const next = afterWindow(state, drifted, { alarmWindows, ofWindows });
          assert.ok(next.recent.length <= ofWindows);
          if (!state.alarm && next.alarm) assert.ok(drifted);
          if (state.alarm && !next.alarm) assert.ok(!drifted);
          state = next;
        }
      },
    ),
  );
});
