import assert from "node:assert/strict";
import { test } from "node:test";
import type { Rollout } from "@muster/control-plane/rollouts/model";
import { completePlan } from "@muster/control-plane/rollouts/plan";
import { contest, type Rival } from "@muster/control-plane/rollouts/rivals";

const own = (state: Rollout["state"] = "running"): Rollout => ({
  id: "own",
  state,
  reason: null,
  wave: 0,
  waveOpenedAt: 100,
  waveClockAt: 100,
  gateHeldSince: null,
  skipWave: null,
  gate: null,
  pace: null,
  wagers: null,
  endedAt: null,
  seed: 1,
  startedAt: 100,
  plannedWaves: 1,
  release: { name: "vibration", version: "1", sequence: 1, digest: "sha256:x" },
  manifest: {} as Rollout["manifest"],
  plan: completePlan({ release: { name: "vibration", version: "1" }, priority: 500 }),
  devices: [],
});

const rival = (given: Partial<Rival> & { status?: ReturnType<Rival["statusOf"]> }): Rival => {
  const { status, ...more } = given;
  return {
    id: "rival",
    state: "running",
    name: "thermal",
    priority: 500,
    startedAt: 50,
    statusOf: () => status,
    ...more,
  };
};

const table: [string, Rival, Rollout["state"], string | null, ReturnType<typeof contest>][] = [
  ["does not have the device", rival({}), "running", null, "free"],
  ["earlier, waits for it", rival({ status: "waiting" }), "running", null, "busy"],
  ["earlier, changes it", rival({ status: "told" }), "running", "rival", "busy"],
  ["earlier, has changed it and still runs", rival({ status: "succeeded" }), "running", "rival", "busy"],
  [
    "earlier, has changed it and completed",
    rival({ status: "succeeded", state: "completed" }),
    "running",
    "rival",
    "free",
  ],
  ["earlier, was superseded there", rival({ status: "superseded" }), "running", null, "free"],
  ["later, waits for it", rival({ status: "waiting", startedAt: 200 }), "running", null, "free"],
  ["later, in the middle of a change", rival({ status: "told", startedAt: 200 }), "running", "rival", "busy"],
  [
    "later, gives it back",
    rival({ status: "returning", startedAt: 200, state: "reverting" }),
    "running",
    "rival",
    "busy",
  ],
  ["lower, earlier", rival({ status: "waiting", priority: 400 }), "running", null, "free"],
  [
    "higher, later, waits",
    rival({ status: "waiting", priority: 600, startedAt: 200 }),
    "running",
    null,
    "busy",
  ],
  [
    "higher, later, took it",
    rival({ status: "told", priority: 600, startedAt: 200 }),
    "running",
    "rival",
    "superseded",
  ],
  ["higher, earlier, took it", rival({ status: "succeeded", priority: 600 }), "running", "rival", "busy"],
  [
    "same release, newer",
    rival({ name: "vibration", status: "waiting", startedAt: 200 }),
    "running",
    null,
    "superseded",
  ],
  [
    "same release, newer, lower",
    rival({ name: "vibration", status: "waiting", startedAt: 200, priority: 400 }),
    "running",
    null,
    "free",
  ],
  [
    "same release, newer, turned back",
    rival({ name: "vibration", status: "waiting", startedAt: 200, state: "reverting" }),
    "running",
    null,
    "busy",
  ],
  ["same release, older", rival({ name: "vibration", status: "waiting" }), "running", null, "free"],
  [
    "newer, and this one has completed",
    rival({ status: "waiting", startedAt: 200, priority: 1 }),
    "completed",
    null,
    "superseded",
  ],
];

for (const [what, other, state, owner, expected] of table)
  test(`${what}: ${expected}`, () => {
    assert.equal(
      contest(own(state), { device: "d1" }, () => owner, [other]),
      expected,
    );
  });
