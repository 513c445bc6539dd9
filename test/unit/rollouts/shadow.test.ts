import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceRecord } from "@muster/control-plane/rollouts/model";
import { completePlan } from "@muster/control-plane/rollouts/plan";
import { shadowOf, shadowSeconds } from "@muster/control-plane/rollouts/shadow";
import { timeoutOf } from "@muster/control-plane/rollouts/timeouts";
import { isMusterError } from "@muster/shared/errors";

const release = { name: "vibration", version: "2.0.0" };
const planOf = (shadow?: object, timeouts = {}) =>
  completePlan({ release, timeouts, ...(shadow && { shadow }) });

test("a plan has no shadow unless it says so, and a default for each number then", () => {
  assert.equal(planOf().shadow, null);
  assert.deepEqual(planOf({}).shadow, {
    seconds: 600,
    samplePercent: 10,
    cpuPercent: 25,
    minCompared: 200,
    minAgreementPercent: 95,
    waves: "first",
  });
});

for (const [what, shadow] of [
  ["no time", { seconds: 0 }],
  ["more than all", { samplePercent: 101 }],
  ["no processor", { cpuPercent: 0 }],
  ["nothing compared", { minCompared: 0 }],
  ["another wave", { waves: "last" }],
  ["a slip", { second: 60 }],
] as const)
  test(`a shadow with ${what} is refused`, () => {
    assert.throws(
      () => planOf(shadow),
      (error) => isMusterError(error, "rollout.plan-invalid"),
    );
  });

test("devices of the first wave are told, or those of all", () => {
  const rule = { seconds: 60, samplePercent: 10, cpuPercent: 25, minCompared: 200, minAgreementPercent: 95 };
  assert.deepEqual(shadowOf(planOf({ seconds: 60 }), { wave: 0 }), rule);
  assert.equal(shadowOf(planOf({ seconds: 60 }), { wave: 1 }), null);
  assert.deepEqual(shadowOf(planOf({ seconds: 60, waves: "all" }), { wave: 7 }), rule);
  assert.equal(shadowOf(planOf(), { wave: 0 }), null);
  assert.equal(shadowSeconds(planOf({ seconds: 60 }), { wave: 0 }), 120);
});

const record = (over: Partial<DeviceRecord>): DeviceRecord => ({
  device: "d0",
  name: "box",
  site: "eu",
  hardwareClass: "x",
  wave: 0,
  status: "told",
  bytes: 0,
  previous: null,
  attempts: 1,
  toldGeneration: 1,
  toldAt: 0,
  phase: "staged",
  phaseAt: 10_000,
  notBefore: null,
  returnGeneration: null,
  returnedAt: null,
  outcome: null,
  failure: null,
  ...over,
});

test("time in the shadow, as long as it may take, is in no timeout of its wave", () => {
  const plan = planOf({ seconds: 100 }, { total: 60, activating: 30, staging: 20 });
  const isLate = (over: Partial<DeviceRecord>, seconds: number) =>
    timeoutOf(record(over), plan, seconds * 1000) !== undefined;
  assert.equal(isLate({}, 239), false);
  assert.equal(isLate({}, 240), true, "30 s after twice 100 s in the phase");
  assert.equal(isLate({ phase: "probation" }, 259), false);
  assert.equal(isLate({ phase: "probation" }, 260), true);
  assert.equal(isLate({ phase: "fetched" }, 30), true, "staging is as long as ever");
  assert.equal(isLate({ wave: 1 }, 40), true, "the second wave has no shadow");
});
