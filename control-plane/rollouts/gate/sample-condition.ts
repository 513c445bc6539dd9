import { INFERENCES, SERVING_MS } from "../exposure/sums.ts";
import { counted } from "../words.ts";
import { plain } from "./amounts.ts";
import { updatedOf } from "./arms.ts";
import type { GateInput } from "./input.ts";
import type { ConditionView } from "./views.ts";

const HOUR_MS = 3_600_000;

/** Whether the updated devices of the wave have measured as much as the plan asks for before metrics may pass. */
export function sampleCondition({ plan, evidence, number }: GateInput): ConditionView {
  const updated = updatedOf(evidence.exposures.arms());
  const { minInferences, minInferenceHours } = plan.sample;
  const inferences = updated[INFERENCES] ?? 0;
  const hours = (updated[SERVING_MS] ?? 0) / HOUR_MS;
  const met = inferences >= minInferences && hours >= minInferenceHours;
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
