import { anytimePValue } from "@muster/shared/stats/rank-test";
import type { Arms } from "../exposure/exposures.ts";
import { counted } from "../words.ts";
import { plain } from "./amounts.ts";
import { comparable, updatedOf } from "./arms.ts";
import { comparisonOf, isWorse } from "./comparison.ts";
import type { GateInput } from "./input.ts";
import { MEASURES } from "./measures.ts";
import type { MetricRule } from "./plan.ts";
import { LEAST_CONTROLS } from "./rank-block.ts";
import type { ConditionView } from "./views.ts";

/** What one half of a metric rule, limit or tolerance, says. */
export interface Part {
  verdict: ConditionView["verdict"];
  words: string;
}

/**
 * Judges a rule by the sequential test. What could not be compared is passed over and does not hold the wave up;
 * devices whose first block is not over yet are waited for.
 * @param index place of the rule among the compared ones
 */
export function byComparison(
  rule: MetricRule,
  index: number,
  arms: ReadonlyMap<string, Arms>,
  { plan, evidence, isLast, now }: GateInput,
): Part & Pick<ConditionView, "comparison" | "control" | "threshold"> {
  const { metric, tolerance = 0 } = rule;
  const { badness, moreIsBetter, ground } = MEASURES[metric];
  const pair = comparable(arms, metric);
  const comparison = comparisonOf(plan, evidence.wagers, index);
  const bad = pair && badness ? badness(pair.control) : null;
  const allowed =
    bad === null ? null : metric === "latency-p95" ? bad * (1 + tolerance / 100) : bad + tolerance;
  const view = {
    comparison,
    control: bad === null ? null : moreIsBetter ? 100 - bad : bad,
    threshold:
      allowed === null ? (metric === "drift" ? tolerance : null) : moreIsBetter ? 100 - allowed : allowed,
  };
  const judged = evidence.wagers?.rounds[0]?.judged ?? -1;
  const test = `compared by rank on ${counted(comparison.devices, "device")} against ${comparison.controls}, the stake has been at ${plain(comparison.stake)} of ${plain(comparison.limit)} (p ${plain(anytimePValue(Math.log(comparison.stake)))} at any time)`;

  if (pair && comparison.stake >= comparison.limit && isWorse(metric, pair, tolerance))
    return {
      ...view,
      verdict: "violated",
      words: `worse by more than the ${tolerated(rule)} tolerated; ${test}`,
    };
  if (!pair) {
    const silent = ground(updatedOf(arms)) === 0;
    const why = silent
      ? "passed over"
      : isLast
        ? "not compared, since the last wave leaves no device to compare with; passed over"
        : "not compared, since no device of the same hardware class that is not updated yet reports it; passed over";
    return { ...view, verdict: "passed-over", words: why };
  }
  const awaited = evidence.exposures.awaited(judged, now);
  if (awaited > 0)
    return { ...view, verdict: "inconclusive", words: `${counted(awaited, "device")} still to be compared` };
  if (comparison.devices === 0)
    return {
      ...view,
      verdict: "passed-over",
      words: `not compared, since no updated device was measured together with ${LEAST_CONTROLS} others of its hardware class; passed over`,
    };
  return { ...view, verdict: "met", words: `${test}; ${tolerated(rule)} tolerated` };
}

function tolerated({ metric, tolerance = 0 }: MetricRule): string {
  if (metric === "latency-p95") return `${plain(tolerance)} %`;
  return metric === "drift" ? `${plain(tolerance)} PSI` : counted(tolerance, "point");
}
