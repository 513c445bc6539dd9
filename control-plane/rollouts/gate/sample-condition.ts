import { INFERENCES, SERVING_MS, type Sums } from "../exposure/sums.ts";
import { counted } from "../words.ts";
import { plain } from "./amounts.ts";
import { updatedOf } from "./arms.ts";
import type { GateInput } from "./input.ts";
import { MEASURES } from "./measures.ts";
import type { GatePlan, Metric } from "./plan.ts";
import type { ConditionView } from "./views.ts";

const HOUR_MS = 3_600_000;

/** Whether the updated devices of the wave have measured as much as the plan asks for before metrics may pass. */
export function sampleCondition({ plan, evidence, number }: GateInput): ConditionView {
  const updated = updatedOf(evidence.exposures.arms());
  const { minInferences, minInferenceHours } = plan.sample;
  const { inferences, hours } = amountOf(updated);
  const met = hasSample(updated, plan);
  return {
    kind: "sample",
    verdict: met ? "met" : "inconclusive",
    value: inferences,
    threshold: minInferences,
    control: null,
    comparison: null,
    unit: "inferences",
    sentence: `Wave ${number}: the updated devices have computed ${counted(inferences, "inference")} in ${plain(hours)} h of serving; the gate asks for ${minInferences} in ${plain(minInferenceHours)} h.`,
  };
}

const amountOf = (sums: Sums) => ({
  inferences: sums[INFERENCES] ?? 0,
  hours: (sums[SERVING_MS] ?? 0) / HOUR_MS,
});

function hasSample(updated: Sums, { sample }: GatePlan): boolean {
  const { inferences, hours } = amountOf(updated);
  return inferences >= sample.minInferences && hours >= sample.minInferenceHours;
}

/** A class with less is not judged by itself, however little the plan asks for: one inference in three says nothing. */
const LEAST_INFERENCES = 100;

/** Compared inferences below which a candidate is not judged, however little the plan asks for. */
const LEAST_COMPARED = 20;

/**
 * True where there is enough to hold a metric against its limit. A candidate in the shadow has served nothing yet, so
 * what counts for its agreement is what was compared, and no hours.
 * @param hasServed whether there is the sample of the plan
 */
export function hasSampleOf(
  metric: Metric,
  updated: Sums,
  { sample }: GatePlan,
  hasServed: boolean,
): boolean {
  if (metric !== "shadow-agreement") return hasServed;
  return MEASURES[metric].ground(updated) >= Math.max(LEAST_COMPARED, sample.minInferences);
}

/**
 * True where one hardware class by itself has measured enough to be held against a limit: the sample of the plan,
 * and at least 100 inferences. A crash voids a whole hour, so crash-free hours need a plan that says how many.
 */
export function hasOwnSample(metric: Metric, updated: Sums, plan: GatePlan): boolean {
  if (!hasSampleOf(metric, updated, plan, hasSample(updated, plan))) return false;
  if (metric === "crash-free-hours") return plan.sample.minInferenceHours > 0;
  return MEASURES[metric].ground(updated) >= LEAST_INFERENCES;
}
