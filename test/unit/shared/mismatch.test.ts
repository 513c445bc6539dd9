import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RolloutPlanInput } from "@muster/control-plane/rollouts/plan";
import { validate } from "@muster/shared/protocol/validate";

const release = { name: "detector", version: "1.1.0" };

const CASES: readonly [document: unknown, sentence: string][] = [
  [{ release, paec: {} }, "/paec is not known here."],
  [{}, "The document lacks release."],
  [{ release, waves: [{ canray: 1 }] }, "/waves/0/canray is not known here."],
  [{ release, waves: [{ percent: "10" }] }, "/waves/0/percent must be number."],
  [{ release, windows: "never" }, "/windows must be site or any."],
  [
    { release: { name: "A B", version: "1" } },
    "/release/name takes lower-case letters, digits and dashes between them, at most 63.",
  ],
  [{ release, priority: 5000 }, "/priority must be <= 1000."],
  [
    { release, gate: { metrics: [{ metric: "latency-p59", limit: 3 }] } },
    "/gate/metrics/0/metric must be one of crash-free-hours, error-rate, fallback-rate, latency-p95, drift, shadow-agreement.",
  ],
];

describe("a document that its schema does not allow", () => {
  for (const [document, sentence] of CASES)
    it(`is told: ${sentence}`, () => {
      assert.throws(() => validate(RolloutPlanInput, document, "rollout.plan-invalid"), {
        code: "rollout.plan-invalid",
        message: sentence,
      });
    });
});
