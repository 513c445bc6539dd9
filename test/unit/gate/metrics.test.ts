import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrackedMember } from "@muster/control-plane/rollouts/exposure/arms";
import { NO_EXPOSURES } from "@muster/control-plane/rollouts/exposure/exposures";
import { judgeGate } from "@muster/control-plane/rollouts/gate/judge";
import type { MetricRule } from "@muster/control-plane/rollouts/gate/plan";
import { counters, Fleet, fleetOf, type Measured, member, NEW, OLD, OPENED_AT } from "./heartbeats.ts";
import { judged, TIMEOUT_SECONDS } from "./judging.ts";

type Arm = TrackedMember["arm"];

/** What updated devices measure beside controls that are healthy. */
const beside = (updated: Measured) => (arm: Arm) => (arm === "updated" ? updated : {});

const limits: [string, MetricRule, Measured, "met" | "violated"][] = [
  ["no errors", { metric: "error-rate", limit: 2 }, {}, "met"],
  ["exactly the errors allowed", { metric: "error-rate", limit: 2 }, { failures: 2 }, "met"],
  ["more errors", { metric: "error-rate", limit: 2 }, { failures: 3 }, "violated"],
  ["fallbacks within", { metric: "fallback-rate", limit: 10 }, { fallbacks: 10 }, "met"],
  ["fallbacks beyond", { metric: "fallback-rate", limit: 10 }, { fallbacks: 11 }, "violated"],
  ["no crash", { metric: "crash-free-hours", limit: 99 }, {}, "met"],
  ["each crash voids", { metric: "crash-free-hours", limit: 99 }, { crashes: 1 }, "violated"],
  [
    "agreement as asked",
    { metric: "shadow-agreement", limit: 95 },
    { shadow: { compared: 100, agreed: 95 } },
    "met",
  ],
  [
    "agreement below",
    { metric: "shadow-agreement", limit: 95 },
    { shadow: { compared: 100, agreed: 94 } },
    "violated",
  ],
  ["fast enough", { metric: "latency-p95", limit: 20 }, { latencyMs: 12 }, "met"],
  ["certainly slower", { metric: "latency-p95", limit: 20 }, { latencyMs: 30 }, "violated"],
  ["in the bin of the limit: not certain", { metric: "latency-p95", limit: 20 }, { latencyMs: 24 }, "met"],
  ["at the lower edge of its bin", { metric: "latency-p95", limit: 16 }, { latencyMs: 16 }, "violated"],
  ["p95, not the slowest", { metric: "latency-p95", limit: 20 }, { latencyMs: { 12: 95, 900: 5 } }, "met"],
  ["confidence as it was", { metric: "drift", limit: 0.1 }, {}, "met"],
  ["confidence elsewhere", { metric: "drift", limit: 0.1 }, { confidence: 0.55 }, "violated"],
];

for (const [what, rule, updated, verdict] of limits)
  test(`limit, ${what}: ${verdict}`, () => {
    const fleet = fleetOf({ updated: 4, controls: 6 }, beside(updated));
    const gate = judgeGate(judged(fleet, { metrics: [rule] }));
    const condition = gate.conditions.find(({ kind }) => kind === rule.metric);
    assert.equal(condition?.verdict, verdict, condition?.sentence);
    assert.equal(gate.verdict, verdict, gate.reason);
    assert.match(gate.reason, /^Wave 1: /);
    assert.deepEqual(gate.hardwareClasses, verdict === "violated" ? ["linux-x64"] : []);
  });

test("a limit is not judged before there is the sample", () => {
  const fleet = fleetOf({ updated: 4, controls: 6 }, beside({ failures: 50 }));
  const metrics: MetricRule[] = [{ metric: "error-rate", limit: 2 }];
  const waiting = judgeGate(judged(fleet, { metrics, sample: { minInferences: 801 } }));
  assert.deepEqual([waiting.verdict, waiting.waitingFor], ["inconclusive", "evidence"], waiting.reason);
  assert.match(waiting.reason, /800 inferences .* asks for 801/);
  assert.equal(judgeGate(judged(fleet, { metrics, sample: { minInferences: 800 } })).verdict, "violated");
});

test("the sample also asks for hours of serving", () => {
  const fleet = fleetOf({ updated: 4, controls: 6 }, () => ({ servingMs: 450_000 }));
  const gate = (minInferenceHours: number) =>
    judgeGate(judged(fleet, { metrics: [], sample: { minInferenceHours } })).verdict;
  assert.deepEqual([gate(1), gate(1.01)], ["met", "inconclusive"]);
});

test("evidence that has not come when soak and timeout are over leaves it to a person", () => {
  const sample = { minInferences: 1 };
  const evidence = { exposures: NO_EXPOSURES, wagers: null };
  const fleet = fleetOf({ updated: 0, controls: 0 }, () => ({}));
  const at = (seconds: number) => {
    const input = judged(fleet, { metrics: [], sample }, { evidence });
    return judgeGate({ ...input, heldSince: input.now - (60 + seconds) * 1000 });
  };
  assert.equal(at(TIMEOUT_SECONDS - 1).waitingFor, "evidence");
  const late = at(TIMEOUT_SECONDS);
  assert.deepEqual([late.verdict, late.waitingFor], ["inconclusive", null]);
  assert.match(late.reason, /has not come within 600 s/);
});

test("a metric that nobody reports: asked for by a limit, passed over by a comparison", () => {
  const fleet = fleetOf({ updated: 4, controls: 6 }, () => ({ inferences: 0 }));
  const compared = judgeGate(judged(fleet, { metrics: [{ metric: "error-rate", tolerance: 1 }] }));
  assert.equal(compared.verdict, "met");
  assert.equal(compared.conditions.at(-1)?.verdict, "passed-over");
  assert.match(compared.conditions.at(-1)?.sentence ?? "", /no updated device has reported.*passed over/);
  const limited = judgeGate(judged(fleet, { metrics: [{ metric: "error-rate", limit: 1 }] }));
  assert.deepEqual([limited.verdict, limited.waitingFor], ["inconclusive", "evidence"]);
});

test("the last wave has nobody to compare with, says so and goes on", () => {
  const fleet = fleetOf({ updated: 4, controls: 0 }, () => ({ failures: 90 }));
  const gate = judgeGate(
    judged(fleet, { metrics: [{ metric: "error-rate", tolerance: 1 }] }, { isLast: true }),
  );
  assert.equal(gate.verdict, "met");
  assert.match(gate.conditions.at(-1)?.sentence ?? "", /the last wave leaves no device to compare with/);
});

const compared: [string, MetricRule, Measured][] = [
  ["errors", { metric: "error-rate", tolerance: 0.5 }, { failures: 5 }],
  ["fallbacks", { metric: "fallback-rate", tolerance: 5 }, { fallbacks: 60 }],
  ["crashes", { metric: "crash-free-hours", tolerance: 0 }, { crashes: 1 }],
  ["latency", { metric: "latency-p95", tolerance: 25 }, { latencyMs: 30 }],
  ["confidence", { metric: "drift", tolerance: 0.1 }, { confidence: 0.55 }],
  ["agreement", { metric: "shadow-agreement", tolerance: 1 }, { shadow: { compared: 100, agreed: 80 } }],
];
const healthy: Measured = { shadow: { compared: 100, agreed: 99 } };

for (const [what, rule, worse] of compared) {
  test(`comparison, worse ${what}: violated, with stake and limit`, () => {
    const fleet = fleetOf({ updated: 12, controls: 100 }, (arm) => (arm === "updated" ? worse : healthy));
    const gate = judgeGate(judged(fleet, { metrics: [rule] }));
    const condition = gate.conditions.at(-1);
    assert.equal(gate.verdict, "violated", condition?.sentence);
    assert.deepEqual([condition?.comparison?.devices, condition?.comparison?.controls], [12, 100]);
    assert.ok((condition?.comparison?.stake ?? 0) >= 100 && condition?.comparison?.limit === 100);
    assert.match(
      gate.reason,
      /worse by more than the .* tolerated; compared by rank on 12 devices against 100/,
    );
  });
  test(`comparison, the same ${what} everywhere: met`, () => {
    const fleet = fleetOf({ updated: 12, controls: 100 }, () => ({ ...healthy, ...worse }));
    const gate = judgeGate(judged(fleet, { metrics: [rule] }));
    assert.equal(gate.verdict, "met", gate.reason);
    assert.equal(gate.conditions.at(-1)?.comparison?.devices, 12);
  });
}

test("where inside its bin a latency lies never violates by itself", () => {
  // 15.9 and 16.1 ms lie in neighbouring bins; interpolated, their p95 are 15.7 and 24.6 ms.
  const fleet = fleetOf({ updated: 40, controls: 400 }, (arm) => ({
    latencyMs: arm === "updated" ? 16.1 : 15.9,
  }));
  const gate = judgeGate(judged(fleet, { metrics: [{ metric: "latency-p95", tolerance: 25 }] }));
  const condition = gate.conditions.at(-1);
  assert.ok((condition?.comparison?.stake ?? 0) > 1e6, "the ranks alone would say so");
  assert.equal(gate.verdict, "met", gate.reason);
});

test("a wave with more slow boxes than the rest is not slower for that", () => {
  const members = [
    ...Array.from({ length: 20 }, (_, index) => member(`us${index}`, "updated", "slow")),
    ...Array.from({ length: 5 }, (_, index) => member(`uf${index}`, "updated", "fast")),
    ...Array.from({ length: 20 }, (_, index) => member(`cs${index}`, "control", "slow")),
    ...Array.from({ length: 300 }, (_, index) => member(`cf${index}`, "control", "fast")),
  ];
  const fleet = new Fleet(members);
  for (const at of [OPENED_AT + 30_000, OPENED_AT + 90_000])
    for (const { device, arm, hardwareClass } of members)
      fleet.beat(device, at, [
        counters(arm === "updated" ? NEW : OLD, { latencyMs: hardwareClass === "slow" ? 200 : 12 }),
      ]);
  const gate = judgeGate(judged(fleet, { metrics: [{ metric: "latency-p95", tolerance: 0 }] }));
  const condition = gate.conditions.at(-1);
  assert.equal(gate.verdict, "met", gate.reason);
  assert.equal(condition?.value, condition?.control);
});

test("only the hardware class on which it is worse is implicated", () => {
  const members = ["good", "bad"].flatMap((hardwareClass) => [
    ...Array.from({ length: 10 }, (_, index) =>
      member(`u-${hardwareClass}-${index}`, "updated", hardwareClass),
    ),
    ...Array.from({ length: 60 }, (_, index) =>
      member(`c-${hardwareClass}-${index}`, "control", hardwareClass),
    ),
  ]);
  const fleet = new Fleet(members);
  for (const at of [OPENED_AT + 30_000, OPENED_AT + 90_000])
    for (const { device, arm, hardwareClass } of members)
      fleet.beat(device, at, [
        counters(arm === "updated" ? NEW : OLD, {
          failures: arm === "updated" && hardwareClass === "bad" ? 40 : 1,
        }),
      ]);
  const gate = judgeGate(judged(fleet, { metrics: [{ metric: "error-rate", tolerance: 0.5 }] }));
  assert.deepEqual([gate.verdict, gate.hardwareClasses], ["violated", ["bad"]], gate.reason);
});

/** Devices of hardware classes, all of them slow but for `fast`; so many updated and controls of each. */
function fleetOfClasses(
  classes: Record<string, [updated: number, controls: number]>,
  measure: (arm: Arm, hardwareClass: string) => Measured,
): Fleet {
  const members = Object.entries(classes).flatMap(([hardwareClass, [updated, controls]]) => [
    ...Array.from({ length: updated }, (_, index) =>
      member(`u-${hardwareClass}-${index}`, "updated", hardwareClass),
    ),
    ...Array.from({ length: controls }, (_, index) =>
      member(`c-${hardwareClass}-${index}`, "control", hardwareClass),
    ),
  ]);
  const fleet = new Fleet(members);
  for (const at of [OPENED_AT + 30_000, OPENED_AT + 90_000])
    for (const { device, arm, hardwareClass } of members)
      fleet.beat(device, at, [
        counters(arm === "updated" ? NEW : OLD, {
          latencyMs: hardwareClass === "fast" ? 12 : 200,
          ...measure(arm, hardwareClass),
        }),
      ]);
  return fleet;
}

const slowerOnFast = (arm: Arm, hardwareClass: string): Measured =>
  arm === "updated" && hardwareClass === "fast" ? { latencyMs: 40 } : {};

test("a fault on one hardware class is not hidden by the others, and only that class is named", () => {
  const fleet = fleetOfClasses({ fast: [8, 60], slow: [40, 200] }, slowerOnFast);
  const gate = judgeGate(judged(fleet, { metrics: [{ metric: "latency-p95", tolerance: 25 }] }));
  const condition = gate.conditions.at(-1);
  assert.deepEqual([gate.verdict, gate.hardwareClasses], ["violated", ["fast"]], gate.reason);
  assert.match(gate.reason, /^Wave 1: on hardware class fast the p95 latency is .*; worse by more than/);
  assert.ok(
    (condition?.value ?? 0) > 40 && (condition?.value ?? 0) < 63,
    "the numbers are those of the class",
  );
  assert.ok((condition?.control ?? 0) <= 16 && (condition?.threshold ?? 0) <= 20);
});

test("a fault on two hardware classes names both", () => {
  const fleet = fleetOfClasses({ fast: [8, 100], alike: [8, 100], slow: [40, 200] }, (arm, hardwareClass) =>
    hardwareClass === "slow" ? {} : { latencyMs: arm === "updated" ? 40 : 12 },
  );
  const gate = judgeGate(judged(fleet, { metrics: [{ metric: "latency-p95", tolerance: 25 }] }));
  assert.deepEqual([gate.verdict, gate.hardwareClasses], ["violated", ["alike", "fast"]], gate.reason);
  assert.match(gate.reason, /^Wave 1: on hardware class alike .*; it is beyond that on fast too\.$/);
});

test("one or two canaries of a class prove nothing by rank", () => {
  for (const canaries of [1, 2]) {
    const fleet = fleetOfClasses({ fast: [canaries, 60], slow: [canaries, 60] }, slowerOnFast);
    const gate = judgeGate(judged(fleet, { metrics: [{ metric: "latency-p95", tolerance: 25 }] }));
    assert.equal(gate.verdict, "met", gate.reason);
  }
});

test("a class is not convicted by the ranks of another", () => {
  // The errors of class b are by a hair more than tolerated, those of class a prove it.
  const fleet = fleetOfClasses({ a: [12, 100], b: [2, 100] }, (arm, hardwareClass) => ({
    failures: arm === "control" ? 1 : hardwareClass === "a" ? 30 : 2,
  }));
  const gate = judgeGate(judged(fleet, { metrics: [{ metric: "error-rate", tolerance: 0.5 }] }));
  assert.deepEqual([gate.verdict, gate.hardwareClasses], ["violated", ["a"]], gate.reason);
});

test("where only all classes together convict, those that are worse by themselves are named", () => {
  const classes = Object.fromEntries(
    ["a", "b", "c", "d"].map((name) => [name, [2, 100]] as [string, [number, number]]),
  );
  const fleet = fleetOfClasses(classes, (arm, hardwareClass) => ({
    failures: arm === "updated" && hardwareClass !== "d" ? 30 : 1,
  }));
  const gate = judgeGate(judged(fleet, { metrics: [{ metric: "error-rate", tolerance: 0.5 }] }));
  assert.deepEqual([gate.verdict, gate.hardwareClasses], ["violated", ["a", "b", "c"]], gate.reason);
  assert.doesNotMatch(gate.reason, /on hardware class/);
});

test("a limit holds for each hardware class that has the sample by itself", () => {
  const metrics: MetricRule[] = [{ metric: "latency-p95", limit: 250 }];
  const faulty = (arm: Arm, hardwareClass: string): Measured =>
    arm === "updated" && hardwareClass === "rare" ? { latencyMs: 900 } : {};
  const gate = (rare: number, minInferences: number) =>
    judgeGate(
      judged(fleetOfClasses({ fast: [40, 5], rare: [rare, 5] }, faulty), {
        metrics,
        sample: { minInferences },
      }),
    );
  const one = gate(1, 0);
  assert.deepEqual([one.verdict, one.hardwareClasses], ["violated", ["rare"]], one.reason);
  assert.match(
    one.reason,
    /^Wave 1: on hardware class rare the p95 latency is .* asks for at most 250 ms\.$/,
  );
  assert.ok((one.conditions.at(-1)?.value ?? 0) > 630);
  assert.deepEqual(
    [gate(1, 201).verdict, gate(1, 200).verdict, gate(2, 400).verdict],
    ["met", "violated", "violated"],
  );
});

test("a class that has hardly measured anything is not judged by its limit alone", () => {
  const rare = (measured: Measured) =>
    fleetOfClasses({ fast: [40, 5], rare: [1, 5] }, (arm, hardwareClass) =>
      arm === "updated" && hardwareClass === "rare" ? measured : { servingMs: 1_800_000 },
    );
  const verdictOf = (rule: MetricRule, measured: Measured, minInferenceHours = 0) =>
    judgeGate(judged(rare(measured), { metrics: [rule], sample: { minInferenceHours } })).verdict;
  const errors: MetricRule = { metric: "error-rate", limit: 2 };
  assert.equal(verdictOf(errors, { inferences: 49, failures: 40 }), "met");
  assert.equal(verdictOf(errors, { inferences: 50, failures: 40 }), "violated");
  const crashes: MetricRule = { metric: "crash-free-hours", limit: 90 };
  assert.equal(verdictOf(crashes, { crashes: 1 }), "met");
  assert.equal(verdictOf(crashes, { crashes: 1, servingMs: 1_800_000 }, 1), "violated");
  assert.equal(verdictOf(crashes, { crashes: 1, servingMs: 1_800_000 }, 1.3), "met");
});

test("a device whose first block is still open is waited for, but not for long", () => {
  const fleet = fleetOf({ updated: 3, controls: 10, blocks: 1 }, () => ({}));
  const input = judged(fleet, { metrics: [{ metric: "error-rate", tolerance: 1 }] }, { blocks: 1 });
  const early = judgeGate(input);
  assert.deepEqual([early.verdict, early.waitingFor], ["inconclusive", "evidence"], early.reason);
  assert.match(early.reason, /3 devices still to be compared/);
  const later = judgeGate({ ...input, now: OPENED_AT + 30_000 + 2 * 60_000 + 1, heldSince: OPENED_AT });
  assert.equal(later.verdict, "met", later.reason);
});

test("agreement in the shadow is judged by what was compared: nothing has served yet", () => {
  const shadow = (compared: number, agreed: number): Measured => ({
    inferences: 0,
    servingMs: 0,
    shadow: { compared, agreed },
  });
  const verdictOf = (updated: Measured, sample = {}) => {
    const fleet = fleetOf({ updated: 1, controls: 6, blocks: 1 }, beside(updated));
    const gate = { metrics: [{ metric: "shadow-agreement" as const, limit: 95 }], sample };
    return judgeGate(judged(fleet, gate)).conditions.find(({ kind }) => kind === "shadow-agreement")?.verdict;
  };
  assert.equal(verdictOf(shadow(20, 18)), "violated");
  assert.equal(verdictOf(shadow(20, 20)), "met");
  assert.equal(verdictOf(shadow(19, 0)), "inconclusive", "fewer than 20 say nothing");
  const sample = { minInferences: 500, minInferenceHours: 24 };
  assert.equal(verdictOf(shadow(499, 0), sample), "inconclusive");
  assert.equal(verdictOf(shadow(500, 0), sample), "violated");
});
