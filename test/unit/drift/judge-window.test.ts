import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeWindow } from "@muster/agent/drift/judge-window";
import { NEW_SERIES, type SeriesState } from "@muster/agent/drift/series-state";
import type { DriftReport } from "@muster/agent/runner/reports";
import { sha256 } from "@muster/shared/trust/digest";

const RULE = { windowSeconds: 60, minSamples: 100, alpha: 0.01, minPsi: 0.05, alarmWindows: 2, ofWindows: 3 };
const HOUR = 3_600_000;
const GOOD = [100, 100, 100, 100];
const OTHER = [20, 40, 140, 200];
const SITE = [140, 120, 80, 60];

const reportOf = (counts: number[], hour = 0): DriftReport => ({
  kind: "drift",
  window: {
    release: sha256("release"),
    model: "defects",
    version: "1.0.0",
    variant: "cpu-int8",
    reference: sha256("reference"),
    from: hour * HOUR,
    to: (hour + 1) * HOUR,
    samples: counts.reduce((sum, count) => sum + count, 0),
    rejected: 0,
    features: { "input:x:mean": counts },
    effective: { "input:x:mean": counts.reduce((sum, count) => sum + count, 0) },
    inputs: {},
  },
  reference: { "input:x:mean": [1_000, 1_000, 1_000, 1_000] },
  rule: RULE,
});

function run(windows: readonly number[][], before: SeriesState = NEW_SERIES) {
  const told = [];
  let state = before;
  for (const [hour, counts] of windows.entries()) {
    const judged = judgeWindow(reportOf(counts, hour), state);
    state = judged.state;
    told.push({ ...judged.body, events: judged.events.map(({ code }) => code) });
  }
  return { told, state };
}

test("a drifted stream raises one alarm and ends it when it is over", () => {
  const { told } = run([GOOD, OTHER, OTHER, OTHER, GOOD, GOOD, GOOD]);
  assert.deepEqual(
    told.map(({ events }) => events),
    [[], [], ["model.drift"], [], [], ["model.drift-ended"], []],
  );
  assert.deepEqual(
    told.map(({ againstReference }) => againstReference?.alarm),
    [false, false, true, true, true, false, false],
  );
  assert.equal(told[2]?.againstReference?.feature, "input:x:mean");
});

test("the event names the feature, its size and what chance reaches", () => {
  const { state } = run([OTHER]);
  const { events } = judgeWindow(reportOf(OTHER), state);
  assert.match(
    events[0]?.message ?? "",
    /^What defects 1.0.0 \(cpu-int8\) sees and says differs from its reference: input:x:mean by a PSI of 0\.\d{3} \(severe; chance alone reaches 0\.\d{3}\), in 2 of 2 windows\.$/,
  );
});

test("a window with too few samples is told and judged by nobody", () => {
  const { told, state } = run([[9, 1, 0, 80]]);
  assert.equal(told[0]?.againstReference, null);
  assert.deepEqual(state, NEW_SERIES);
});

test("the baseline is learned from the first day, frozen, and tells change from what is different here", () => {
  const first = new Array<number[]>(24).fill(SITE);
  assert.ok(!run(first.slice(1)).state.baseline.frozen, "not before a day is over");
  const { told, state } = run(first);
  assert.ok(told.every(({ againstBaseline }) => againstBaseline === null));
  assert.equal(told.at(-1)?.againstReference?.alarm, true, "this site is not like the calibration set");
  const { told: same, state: after } = run([SITE, SITE], state);
  assert.deepEqual(
    same.map(({ againstBaseline }) => againstBaseline?.drifted),
    [false, false],
  );
  assert.deepEqual(after.baseline, state.baseline);
  const { told: changed } = run([OTHER, OTHER], after);
  assert.deepEqual(changed.at(-1)?.events, ["model.drift"]);
  assert.equal(changed.at(-1)?.againstBaseline?.alarm, true);
});
