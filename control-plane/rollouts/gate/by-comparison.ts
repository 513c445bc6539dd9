import { anytimePValue } from "@muster/shared/stats/rank-test";
import type { Arms } from "../exposure/exposures.ts";
import { counted } from "../words.ts";
import { plain } from "./amounts.ts";
import { comparable, onlyOf, updatedOf } from "./arms.ts";
import { type Convicting, comparisonOf, convictingOf, isWorse } from "./comparison.ts";
import type { GateInput } from "./input.ts";
import { MEASURES } from "./measures.ts";
import type { Part } from "./part.ts";
import type { MetricRule } from "./plan.ts";
import { LEAST_CONTROLS } from "./rank-block.ts";
import type { ConditionView } from "./views.ts";

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
): Part & Pick<ConditionView, "comparison" | "threshold"> {
  const { metric } = rule;
  const pair = comparable(arms, metric);
  const comparison = comparisonOf(plan, evidence.wagers, index);
  const view = { comparison, threshold: thresholdOf(rule, pair) };
  const judged = evidence.wagers?.rounds[0]?.judged ?? -1;
  const test = `compared by rank on ${counted(comparison.devices, "device")} against ${comparison.controls}, the stake has been at ${plain(comparison.stake)} of ${plain(comparison.limit)} (p ${plain(anytimePValue(Math.log(comparison.stake)))} at any time)`;

  const verdict = verdictOf(rule, arms, pair, convictingOf(plan, evidence.wagers, index));
  if (verdict) {
    const { only } = verdict;
    const judgedBy = only === undefined ? pair : comparable(onlyOf(arms, only), metric);
    const words = `worse by more than the ${tolerated(rule)} tolerated; ${test}`;
    return { comparison, threshold: thresholdOf(rule, judgedBy), verdict: "violated", words, ...verdict };
  }
  if (!pair) {
    const silent = MEASURES[metric].ground(updatedOf(arms)) === 0;
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

/**
 * Whose ranks convict must also be worse on the whole: a class by itself, or all together. Against the release
 * speak the classes whose own ranks convict; where only those of all together do, the ones that are worse by
 * themselves, and where none is, all that were compared. Undefined where nobody is both.
 */
function verdictOf(
  { metric, tolerance = 0 }: MetricRule,
  arms: ReadonlyMap<string, Arms>,
  pair: Arms | undefined,
  convicting: Convicting,
): Pick<Part, "against" | "only"> | undefined {
  const isWorseOn = (name: string) => {
    const own = comparable(onlyOf(arms, name), metric);
    return own !== undefined && isWorse(metric, own, tolerance);
  };
  const convicted = convicting.classes.filter(isWorseOn);
  const together = convicting.all && pair !== undefined && isWorse(metric, pair, tolerance);
  if (convicted.length > 0) {
    const [first] = convicted;
    return { against: convicted, ...(together || first === undefined ? {} : { only: first }) };
  }
  if (!together) return undefined;
  const measured = [...arms.keys()].filter((name) => comparable(onlyOf(arms, name), metric));
  const worse = measured.filter(isWorseOn);
  return { against: worse.length > 0 ? worse : measured };
}

/** What the others measure, and what is tolerated beside that. */
function thresholdOf({ metric, tolerance = 0 }: MetricRule, pair: Arms | undefined): number | null {
  const { badness, moreIsBetter } = MEASURES[metric];
  if (!pair || !badness) return metric === "drift" ? tolerance : null;
  const bad = badness(pair.control);
  const allowed = metric === "latency-p95" ? bad * (1 + tolerance / 100) : bad + tolerance;
  return moreIsBetter ? 100 - allowed : allowed;
}

function tolerated({ metric, tolerance = 0 }: MetricRule): string {
  if (metric === "latency-p95") return `${plain(tolerance)} %`;
  return metric === "drift" ? `${plain(tolerance)} PSI` : counted(tolerance, "point");
}
