import assert from "node:assert/strict";
import { it } from "node:test";
import { progressLine } from "../../demo/progress.ts";
import { summaryLines } from "../../demo/summary.ts";

const rollout = { id: "r1", reason: null, startedAt: 0, endedAt: null, wave: 1, waves: 3 };

it("draws a device a cell and names the situations that occur", () => {
  assert.equal(
    progressLine({ ...rollout, state: "running", counts: { succeeded: 2, pending: 1, waiting: 5 } }),
    "wave 1 of 3  ██▒·····  2 done, 1 at work, 5 not told yet",
  );
  assert.equal(
    progressLine({ ...rollout, state: "reverted", counts: { returned: 2, waiting: 6 } }),
    "reverted     ↩↩······  2 back, 6 untouched",
  );
});

it("sums the measured numbers up in lines of a terminal", () => {
  const lines = summaryLines({
    devices: 8,
    sites: 3,
    resultsProduced: 2359,
    resultsStored: 2359,
    requestsFailed: 0,
    resultsProducedDuringOutage: 400,
    devicesPerRelease: { "vibration 1.1.0": 8 },
    devicesThatSawTheBadRelease: 2,
    secondsToCatch: 9.1,
    secondsToRevert: 1,
    devicesThatPass: 8,
    auditEntries: 120,
  });
  assert.match(lines.join("\n"), /8 at 3 sites, 8 on vibration 1\.1\.0\n.*2359 answered, 2359 stored/);
  assert.ok(lines.every((line) => line.length <= 80));
});
