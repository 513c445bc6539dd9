import assert from "node:assert/strict";
import { test } from "node:test";
import { type Contender, choose } from "@muster/agent/choice/choose";
import type { Measured } from "@muster/shared/protocol/choice";
import type { Objective } from "@muster/shared/protocol/serving/objective";
import fc from "fast-check";

const measured = (over: Partial<Measured> = {}): Measured => ({
  loadMs: 50,
  p50Ms: 10,
  p95Ms: 12,
  cpuMs: 9,
  agreement: 1,
  placement: 1,
  memoryMiB: 40,
  ...over,
});

const contender = (variant: string, over: Partial<Measured> = {}, accuracy = 0.95): Contender => ({
  variant,
  provider: "cpu",
  accuracy,
  measurement: { measured: measured(over) },
});

const crashed = (variant: string): Contender => ({
  variant,
  provider: "cuda",
  accuracy: 1,
  measurement: {
    failure: { code: "runner.crashed", message: "Measuring was ended by SIGSEGV (load)." },
    step: "load",
  },
});

const CASES: {
  name: string;
  contenders: Contender[];
  objective: Objective;
  winner: string | null;
  reasons: (RegExp | null)[];
}[] = [
  {
    name: "latency takes the lowest median",
    contenders: [contender("fp32", { p50Ms: 20 }), contender("int8", { p50Ms: 8 })],
    objective: { prefer: "latency" },
    winner: "int8",
    reasons: [/^Worse than int8 on cpu: median 20 against 8 ms\.$/, null],
  },
  {
    name: "a difference within the noise leaves it to the release's order",
    contenders: [contender("first", { p50Ms: 10.4 }), contender("second", { p50Ms: 10 })],
    objective: { prefer: "latency" },
    winner: "first",
    reasons: [null, /^No better than first on cpu, which comes first/],
  },
  {
    name: "energy takes the least processor time, whatever the latency",
    contenders: [contender("quick", { p50Ms: 1, cpuMs: 30 }), contender("thrifty", { p50Ms: 9, cpuMs: 3 })],
    objective: { prefer: "energy" },
    winner: "thrifty",
    reasons: [/processor time 30 against 3 ms/, null],
  },
  {
    name: "memory takes the smallest",
    contenders: [contender("large", { memoryMiB: 400 }), contender("small", { memoryMiB: 90 })],
    objective: { prefer: "memory" },
    winner: "small",
    reasons: [/memory 400 against 90 MiB/, null],
  },
  {
    name: "order takes the first that meets the floors",
    contenders: [contender("slow", { p95Ms: 60 }), contender("next"), contender("last", { p50Ms: 1 })],
    objective: { prefer: "order", maxLatencyMs: 50 },
    winner: "next",
    reasons: [/95th percentile of 60 ms is above 50 ms/, null, /Comes after next on cpu/],
  },
  {
    name: "floors of accuracy and agreement come before speed",
    contenders: [
      contender("int4", { p50Ms: 1 }, 0.7),
      contender("int8", { p50Ms: 2, agreement: 0.9 }),
      contender("fp32", { p50Ms: 20 }),
    ],
    objective: { prefer: "latency", minAccuracy: 0.9, minAgreement: 0.95 },
    winner: "fp32",
    reasons: [/Accuracy 70 % is below 90 %/, /Agreement 90 % .* below 95 %/, null],
  },
  {
    name: "a crash loses and says where",
    contenders: [crashed("gpu"), contender("cpu")],
    objective: { prefer: "latency" },
    winner: "cpu",
    reasons: [/runner\.crashed: .*SIGSEGV \(load\)/, null],
  },
  {
    name: "nothing is taken when nothing qualifies",
    contenders: [crashed("gpu"), contender("cpu", { p95Ms: 99 })],
    objective: { prefer: "latency", maxLatencyMs: 10 },
    winner: null,
    reasons: [/runner\.crashed/, /99 ms is above 10 ms/],
  },
];

for (const { name, contenders, objective, winner, reasons } of CASES)
  test(name, () => {
    const choice = choose(contenders, objective);
    assert.equal(choice.winner === null ? null : contenders[choice.winner]?.variant, winner);
    for (const [index, reason] of reasons.entries())
      if (reason === null) assert.equal(choice.reasons[index], null);
      else assert.match(choice.reasons[index] ?? "", reason);
  });

const number = fc.integer({ min: 0, max: 100 });
const share = number.map((value) => value / 100);
const anyContender: fc.Arbitrary<Contender> = fc.oneof(
  fc.constant(crashed("gpu")),
  fc
    .record({ p50Ms: number, p95Ms: number, cpuMs: number, memoryMiB: number, agreement: share })
    .chain((over) => share.map((accuracy) => contender("some", over, accuracy))),
);
const anyObjective: fc.Arbitrary<Objective> = fc.record(
  {
    prefer: fc.constantFrom("order" as const, "latency" as const, "energy" as const, "memory" as const),
    minAgreement: share,
    minAccuracy: share,
    maxLatencyMs: number.map((value) => value + 1),
  },
  { requiredKeys: ["prefer"] },
);

const meets = ({ accuracy, measurement }: Contender, objective: Objective): boolean =>
  "measured" in measurement &&
  accuracy >= (objective.minAccuracy ?? 0) &&
  measurement.measured.agreement >= (objective.minAgreement ?? 0) &&
  measurement.measured.p95Ms <= (objective.maxLatencyMs ?? Number.POSITIVE_INFINITY);

const preferredBy = ({ measurement }: Contender, { prefer }: Objective): number => {
  if (!("measured" in measurement)) return Number.POSITIVE_INFINITY;
  const { p50Ms, cpuMs, memoryMiB } = measurement.measured;
  return { order: 0, latency: p50Ms, energy: cpuMs, memory: memoryMiB }[prefer];
};

test("whatever was measured, the winner meets every floor and none that does is clearly better", () => {
  fc.assert(
    fc.property(fc.array(anyContender, { minLength: 1, maxLength: 8 }), anyObjective, (all, objective) => {
      const { winner, reasons, standby } = choose(all, objective);
      const fit = all.flatMap((each, index) => (meets(each, objective) ? [index] : []));
      assert.equal(winner === null, fit.length === 0);
      assert.equal(reasons.length, all.length);
      for (const [index, reason] of reasons.entries()) {
        assert.equal(reason === null, index === winner);
        if (reason !== null) assert.ok(reason.length > 0 && reason.length <= 200);
      }
      assert.deepEqual([...standby].sort(), fit.filter((index) => index !== winner).sort());
      if (winner === null) return;
      assert.ok(fit.includes(winner));
      const its = preferredBy(all[winner]!, objective);
      for (const index of fit) {
        const theirs = preferredBy(all[index]!, objective);
        assert.ok(its <= theirs * 1.05 + 1e-9);
        if (index < winner) assert.ok(theirs > its / 1.05 - 1e-9 || theirs > its);
      }
    }),
  );
});
