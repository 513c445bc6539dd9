import assert from "node:assert/strict";
import { test } from "node:test";
import type { Observed } from "@muster/agent/update/ports";
import { judgeProbation } from "@muster/agent/update/probation";
import type { ProbationRule } from "@muster/shared/protocol/release";
import fc from "fast-check";

const rule: ProbationRule = {
  minSeconds: 60,
  deadlineSeconds: 600,
  minInferences: 100,
  maxErrorRate: 0.01,
  maxP95Ms: 50,
  maxCrashes: 1,
};
const calm: Observed = { inferences: 100, failures: 0, crashes: 0, p95Ms: 20 };

const table: [string, Partial<ProbationRule>, Partial<Observed>, number, string][] = [
  ["commits when time and traffic suffice", {}, {}, 60_000, "commit"],
  ["waits for the time", {}, {}, 59_999, "wait"],
  ["waits for the traffic", {}, { inferences: 99 }, 60_000, "wait"],
  [
    "needs no traffic when none is asked for",
    { minInferences: 0 },
    { inferences: 0, p95Ms: null },
    60_000,
    "commit",
  ],
  ["gives up without traffic at the deadline", {}, { inferences: 99 }, 600_000, "probation.no-traffic"],
  ["one failure of 100 is within one percent", {}, { failures: 1 }, 60_000, "commit"],
  ["an early failure is no verdict yet", {}, { inferences: 1, failures: 1 }, 1000, "wait"],
  ["too many failures are not awaited", {}, { inferences: 2, failures: 2 }, 1000, "probation.errors"],
  [
    "at the deadline the share counts as it is",
    {},
    { inferences: 50, failures: 1 },
    600_000,
    "probation.errors",
  ],
  ["as many crashes as allowed", {}, { crashes: 1 }, 60_000, "commit"],
  ["a crash too many", {}, { crashes: 2 }, 1000, "probation.crashed"],
  ["as slow as allowed", {}, { p95Ms: 50 }, 60_000, "commit"],
  ["too slow", {}, { p95Ms: 50.1 }, 1000, "probation.latency"],
  ["few inferences say nothing about latency", {}, { inferences: 99, p95Ms: 500 }, 1000, "wait"],
  [
    "crashes come before all else",
    {},
    { crashes: 9, failures: 99, p95Ms: 999 },
    700_000,
    "probation.crashed",
  ],
];

for (const [name, rules, observed, elapsed, expected] of table)
  test(`probation: ${name}`, () => {
    const judged = judgeProbation({ ...rule, ...rules }, { ...calm, ...observed }, elapsed);
    assert.equal(judged.verdict === "roll-back" ? judged.code : judged.verdict, expected);
  });

test("probation: sentences are for people", () => {
  const said = (rules: Partial<ProbationRule>, observed: Partial<Observed>) => {
    const judged = judgeProbation({ ...rule, ...rules }, { ...calm, ...observed }, 1000);
    return judged.verdict === "roll-back" ? judged.message : judged.verdict;
  };
  assert.equal(
    said({ maxP95Ms: 12.25 }, { p95Ms: 39.49999999999999 }),
    "95 % of 100 inferences took up to 39.5 ms; 12.25 ms are allowed.",
  );
  assert.match(said({}, { p95Ms: 50.01 }), /up to 50\.01 ms; 50 ms are allowed/);
});

const anyRule = fc.record({
  minSeconds: fc.nat(1000),
  deadlineSeconds: fc.integer({ min: 1, max: 1000 }),
  minInferences: fc.nat(1000),
  maxErrorRate: fc.double({ min: 0, max: 1, noNaN: true }),
  maxP95Ms: fc.double({ min: 0.1, max: 1000, noNaN: true }),
  maxCrashes: fc.nat(5),
});
const anyObserved = fc.nat(2000).chain((inferences) =>
  fc.record({
    inferences: fc.constant(inferences),
    failures: fc.nat(inferences),
    crashes: fc.nat(8),
    p95Ms: inferences === 0 ? fc.constant(null) : fc.double({ min: 0, max: 2000, noNaN: true }),
  }),
);

test("probation: what is committed meets every limit, and after both times nothing waits", () => {
  fc.assert(
    fc.property(anyRule, anyObserved, fc.nat(2_000_000), (rules, observed, elapsed) => {
      const judged = judgeProbation(rules, observed, elapsed);
      if (judged.verdict === "commit") {
        assert.ok(elapsed >= rules.minSeconds * 1000 && observed.inferences >= rules.minInferences);
        assert.ok(observed.crashes <= rules.maxCrashes);
        assert.ok(observed.failures === 0 || observed.failures / observed.inferences <= rules.maxErrorRate);
        assert.ok(observed.p95Ms === null || observed.p95Ms <= rules.maxP95Ms);
      }
      if (elapsed >= Math.max(rules.minSeconds, rules.deadlineSeconds) * 1000)
        assert.notEqual(judged.verdict, "wait");
    }),
  );
});

test("probation: more harm never turns a rollback into a commit", () => {
  fc.assert(
    fc.property(anyRule, anyObserved, fc.nat(2_000_000), fc.nat(5), (rules, observed, elapsed, more) => {
      const before = judgeProbation(rules, observed, elapsed).verdict;
      const worse = { ...observed, crashes: observed.crashes + more };
      const after = judgeProbation(rules, worse, elapsed).verdict;
      if (before === "roll-back") assert.equal(after, "roll-back");
    }),
  );
});
