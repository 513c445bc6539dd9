import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DeviceKnowledge, deviceSignals } from "@muster/control-plane/alerts/device-signals";
import type { DeviceHealth } from "@muster/control-plane/health/device-health";
import type { ReportedState } from "@muster/shared/protocol/state";

const NOW = Date.UTC(2026, 10, 22);
const MINUTE = 60_000;

const health = (
  given: Partial<DeviceHealth> = {},
  window: Partial<DeviceHealth["window"]> = {},
): DeviceHealth => ({
  device: "d1",
  at: NOW - MINUTE,
  vitals: {
    agentRss: 1,
    runnerRss: 1,
    loadPerCore: 0.5,
    freeMemoryMiB: 900,
    freeDiskMiB: 8_000,
    temperatureC: null,
    runnerRestarts: 0,
    outboxBytes: 2 * 1024 ** 2,
    power: { heat: "hot", draw: "normal", watts: 7.5, energy: "measured" },
  },
  clockSkewMs: -3_000,
  score: 90,
  reasons: [],
  window: {
    heartbeats: 10,
    operationalMs: 1,
    connectedMs: 1,
    syncSucceeded: 0,
    syncFailed: 0,
    servingMs: 300_000,
    crashes: 0,
    inferences: 100,
    failures: 7,
    fallbacks: 0,
    degraded: 25,
    refused: 0,
    p95Ms: 12,
    ...window,
  },
  ...given,
});

const reported = (given: Partial<ReportedState> = {}): ReportedState => ({
  generation: 1,
  running: null,
  components: [],
  runner: "ready",
  update: null,
  lastResult: null,
  refused: null,
  ...given,
});

const known = (given: Partial<DeviceKnowledge> = {}): DeviceKnowledge => ({
  liveness: "online",
  lastSeenAt: NOW - 5_000,
  reported: reported(),
  health: health(),
  certificateExpiresAt: NOW + 2 * 86_400_000,
  lostRecords: 0,
  ...given,
});

const NEVER_HEARD = known({
  liveness: "offline",
  lastSeenAt: null,
  reported: null,
  health: health(
    { at: null, vitals: null, clockSkewMs: null },
    { heartbeats: 0, inferences: 0, p95Ms: null },
  ),
  certificateExpiresAt: null,
});

describe("signals of a device", () => {
  it("are what is known, in their units", () => {
    assert.deepEqual(deviceSignals(known(), NOW), {
      offline: 0,
      flapping: 0,
      lostRecords: 0,
      silentSeconds: 5,
      certificateDaysLeft: 2,
      healthScore: 90,
      freeDiskMiB: 8_000,
      freeMemoryMiB: 900,
      loadPerCore: 0.5,
      outboxMiB: 2,
      clockSkewSeconds: 3,
      crashes: 0,
      errorPercent: 7,
      fallbackPercent: 0,
      degradedPercent: 25,
      refusedPercent: 0,
      heatLevel: 2,
      drawLevel: 0,
      watts: 7.5,
      latencyP95Ms: 12,
      servingStopped: 0,
    });
  });

  it("are absent where nothing is known, never 0", () => {
    assert.deepEqual(deviceSignals(NEVER_HEARD, NOW), {
      offline: 1,
      flapping: 0,
      lostRecords: 0,
      healthScore: 90,
    });
  });

  it("do not take old vitals for those of now", () => {
    const signals = deviceSignals(known({ health: health({ at: NOW - 11 * MINUTE }) }), NOW);
    assert.equal(signals.freeDiskMiB, undefined);
    assert.equal(signals.clockSkewSeconds, undefined);
  });

  it("take no share of too few", () => {
    const { errorPercent, syncFailedPercent } = deviceSignals(
      known({ health: health({}, { inferences: 19, failures: 19, syncFailed: 4 }) }),
      NOW,
    );
    assert.deepEqual([errorPercent, syncFailedPercent], [undefined, undefined]);
  });

  const silent = health({}, { servingMs: 0 });
  const stuck = { generation: 1, release: null, outcome: "failed-stuck", at: NOW } as const;
  const update = { generation: 2, release: null, phase: "activating", since: NOW } as const;
  const serving: [what: string, given: Partial<DeviceKnowledge>, stopped: number | undefined][] = [
    ["serves", {}, 0],
    ["says that it is ready and serves nothing", { health: silent }, 1],
    ["has a failed runner", { reported: reported({ runner: "failed" }) }, 1],
    ["has nothing to run", { reported: reported({ runner: "idle" }), health: silent }, undefined],
    ["is stuck", { reported: reported({ runner: "idle", lastResult: stuck }), health: silent }, 1],
    ["is in the middle of a change", { reported: reported({ runner: "starting", update }) }, undefined],
    ["is offline", { liveness: "offline", reported: reported({ runner: "failed" }) }, undefined],
    [
      "has told nothing since a restart here",
      { health: health({}, { heartbeats: 0, servingMs: 0 }) },
      undefined,
    ],
  ];
  for (const [what, given, stopped] of serving)
    it(`say whether one that ${what} has stopped: ${stopped ?? "unknown"}`, () =>
      assert.equal(deviceSignals(known(given), NOW).servingStopped, stopped));

  const last = (outcome: "succeeded" | "failed-rolled-back" | "superseded", at: number) =>
    deviceSignals(
      known({ reported: reported({ lastResult: { generation: 1, release: null, outcome, at } }) }),
      NOW,
    ).updateFailed;
  it("know of updates for a day", () => {
    assert.equal(last("succeeded", NOW - MINUTE), 0);
    assert.equal(last("failed-rolled-back", NOW - MINUTE), 1);
    assert.equal(last("failed-rolled-back", NOW - 25 * 60 * MINUTE), undefined);
    assert.equal(last("superseded", NOW - MINUTE), undefined);
    assert.equal(last("failed-rolled-back", NOW + 999 * MINUTE), 1, "its clock is wrong");
  });
});
