import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ScoreFacts, scoreOf } from "@muster/control-plane/health/score";
import { POINTS } from "@muster/control-plane/health/thresholds";
import type { UpdateResult } from "@muster/shared/protocol/state";
import fc from "fast-check";
import { release } from "../../support/fleet/messages.ts";

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;
const MIB = 1024 * 1024;

const window = {
  heartbeats: 20,
  operationalMs: 600_000,
  connectedMs: 600_000,
  syncSucceeded: 10,
  syncFailed: 0,
  servingMs: 600_000,
  crashes: 0,
  inferences: 1000,
  failures: 0,
  fallbacks: 0,
  degraded: 0,
  refused: 0,
  p95Ms: 4,
};
const vitals = {
  agentRss: 50 * MIB,
  runnerRss: 90 * MIB,
  loadPerCore: 0.4,
  freeMemoryMiB: 900,
  freeDiskMiB: 9000,
  temperatureC: 55,
  runnerRestarts: 0,
  outboxBytes: 0,
};
const model = {
  type: "model" as const,
  name: "vibration",
  version: "1.0.0",
  digest: release("1.0.0").digest as `sha256:${string}`,
};
const reported = { runner: "ready" as const, components: [model], update: null, lastResult: null };
const well: ScoreFacts = {
  now: NOW,
  liveness: "online",
  lastSeenAt: NOW - 10_000,
  reachableSince: NOW - DAY,
  reported,
  window,
  vitals,
  clockSkewMs: -40,
  lostRecords: 0,
  certificateExpiresAt: NOW + 20 * DAY,
};
const result = (outcome: UpdateResult["outcome"], at = NOW - 60_000): UpdateResult => ({
  generation: 3,
  release: release("2.0.0", 2),
  outcome,
  failure: { code: "model.golden-mismatch", message: "3 of 8 golden cases differ." },
  at,
});

describe("health score of a device", () => {
  test("is 100 without a reason when nothing is wrong", () => {
    assert.deepEqual(scoreOf(well), { score: 100, reasons: [] });
    assert.deepEqual(scoreOf({ ...well, vitals: null, reported: null, clockSkewMs: null }).score, 100);
  });

  const cases: [string, Partial<ScoreFacts>, [code: string, points: number][], RegExp][] = [
    ["late", { liveness: "late", lastSeenAt: NOW - 100_000 }, [["late", 15]], /heard 100 s ago/],
    ["flapping", { liveness: "flapping" }, [["flapping", 30]], /again and again/],
    [
      "offline for hours",
      { liveness: "offline", lastSeenAt: NOW - 4 * 3_600_000 },
      [["offline", 70]],
      /4 h ago/,
    ],
    ["never heard", { liveness: "offline", lastSeenAt: null }, [["offline", 70]], /never heard/],
    [
      "offline: what it told of itself is old",
      { liveness: "offline", window: { ...window, crashes: 9 }, vitals: { ...vitals, freeDiskMiB: 1 } },
      [["offline", 70]],
      /offline/,
    ],
    [
      "a release that cannot be served",
      { reported: { ...reported, runner: "failed" } },
      [["runner-failed", 60]],
      /tries again/,
    ],
    [
      "no runner for the model",
      { reported: { ...reported, runner: "starting" } },
      [["not-serving", 40]],
      /no runner/,
    ],
    [
      "a runner that starts within an update",
      {
        reported: {
          ...reported,
          runner: "starting",
          update: { generation: 2, release: null, phase: "activating", since: NOW },
        },
      },
      [],
      /^$/,
    ],
    ["nothing to serve", { reported: { ...reported, runner: "idle", components: [] } }, [], /^$/],
    ["one crash", { window: { ...window, crashes: 1 } }, [["crashes", 25]], /hung 1 time within/],
    ["three crashes", { window: { ...window, crashes: 3 } }, [["crashes", 40]], /3 times/],
    ["a crash loop", { window: { ...window, crashes: 9 } }, [["crashes", 60]], /9 times/],
    ["few errors", { window: { ...window, failures: 9 } }, [], /^$/],
    [
      "errors",
      { window: { ...window, failures: 10 } },
      [["error-rate", 15]],
      /1 % of 1000 inferences failed/,
    ],
    ["many errors", { window: { ...window, failures: 300 } }, [["error-rate", 60]], /30 % of 1000/],
    ["errors of too few inferences", { window: { ...window, inferences: 19, failures: 19 } }, [], /^$/],
    ["a fallback", { window: { ...window, fallbacks: 1000 } }, [["fallback", 20]], /100 % of 1000/],
    [
      "a bad line",
      { window: { ...window, syncSucceeded: 2, syncFailed: 6 } },
      [["sync-failures", 15]],
      /6 of 8/,
    ],
    [
      "a bad line while there was no control plane",
      { window: { ...window, syncSucceeded: 2, syncFailed: 6 }, reachableSince: NOW - 60_000 },
      [],
      /^$/,
    ],
    [
      "a line that was asked too seldom",
      { window: { ...window, syncSucceeded: 0, syncFailed: 3 } },
      [],
      /^$/,
    ],
    ["little disk", { vitals: { ...vitals, freeDiskMiB: 1023 } }, [["low-disk", 15]], /1023 MiB of disk/],
    ["hardly any disk", { vitals: { ...vitals, freeDiskMiB: 255 } }, [["low-disk", 40]], /255 MiB/],
    ["little memory", { vitals: { ...vitals, freeMemoryMiB: 40 } }, [["low-memory", 35]], /40 MiB of memory/],
    ["heat", { vitals: { ...vitals, temperatureC: 85 } }, [["temperature", 15]], /85 °C/],
    ["great heat", { vitals: { ...vitals, temperatureC: 99.6 } }, [["temperature", 35]], /100 °C/],
    ["no sensor", { vitals: { ...vitals, temperatureC: null } }, [], /^$/],
    [
      "results that pile up",
      { vitals: { ...vitals, outboxBytes: 60 * MIB } },
      [["outbox", 35]],
      /60 MiB of results/,
    ],
    ["lost records", { lostRecords: 1 }, [["lost-records", 25]], /1 record for/],
    ["a slow clock", { clockSkewMs: -90_000 }, [["clock-skew", 10]], /90 s behind/],
    ["a clock of another year", { clockSkewMs: 400 * DAY }, [["clock-skew", 25]], /400 d ahead/],
    [
      "a certificate that was not renewed",
      { certificateExpiresAt: NOW + 3 * DAY },
      [["certificate", 20]],
      /ends in 3 d/,
    ],
    ["a certificate of the last day", { certificateExpiresAt: NOW + DAY / 2 }, [["certificate", 45]], /12 h/],
    ["an expired certificate", { certificateExpiresAt: NOW - 1 }, [["certificate", 60]], /has expired/],
    [
      "a failed update",
      { reported: { ...reported, lastResult: result("failed-rolled-back") } },
      [["update-failed", 15]],
      /press-watch 2.0.0 failed: 3 of 8/,
    ],
    [
      "an update that failed long ago",
      { reported: { ...reported, lastResult: result("rejected", NOW - 2 * DAY) } },
      [],
      /^$/,
    ],
    [
      "an update that is stuck, however long",
      { reported: { ...reported, lastResult: result("failed-stuck", NOW - 9 * DAY) } },
      [["update-failed", 60]],
      /could not be taken back/,
    ],
    ["a good update", { reported: { ...reported, lastResult: result("succeeded") } }, [], /^$/],
  ];
  for (const [what, facts, reasons, sentence] of cases)
    test(what, () => {
      const scored = scoreOf({ ...well, ...facts });
      assert.deepEqual(
        scored.reasons.map(({ code, points }) => [code, points]),
        reasons,
      );
      assert.equal(scored.score, 100 - reasons.reduce((sum, [, points]) => sum + points, 0));
      assert.match(scored.reasons[0]?.sentence ?? "", sentence);
    });

  test("is never below 0, and names the heaviest reason first", () => {
    const { score, reasons } = scoreOf({
      ...well,
      liveness: "flapping",
      window: { ...window, crashes: 5, failures: 500 },
      vitals: { ...vitals, freeDiskMiB: 3 },
    });
    assert.equal(score, 0);
    assert.deepEqual(
      reasons.map(({ points }) => points),
      [60, 60, 40, 30],
    );
  });

  test("steps grow with what they measure", () => {
    const rising = [POINTS.crashes, POINTS.errorPercent, POINTS.temperatureC, POINTS.outboxBytes];
    const falling = [POINTS.freeDiskMiB, POINTS.freeMemoryMiB, POINTS.certificateMs];
    for (const [steps, sign] of [
      ...rising.map((each) => [each, 1] as const),
      ...falling.map((each) => [each, -1] as const),
    ])
      for (const [index, step] of steps.slice(1).entries()) {
        assert.ok(sign * (step.from - steps[index]!.from) > 0);
        assert.ok(step.points > steps[index]!.points);
      }
  });

  test("more crashes never give a better score", () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), (a, b) => {
        const at = (crashes: number) => scoreOf({ ...well, window: { ...window, crashes } }).score;
        assert.ok(at(Math.max(a, b)) <= at(Math.min(a, b)));
      }),
    );
  });
});
