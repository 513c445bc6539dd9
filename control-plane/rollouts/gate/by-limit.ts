import type { Arms } from "../exposure/exposures.ts";
import { amount } from "./amounts.ts";
import { onlyOf } from "./arms.ts";
import { MEASURES } from "./measures.ts";
import type { Part } from "./part.ts";
import type { GatePlan, MetricRule } from "./plan.ts";
import { type Reading, readingOf } from "./readings.ts";
import { hasOwnSample } from "./sample-condition.ts";

/**
 * Judges the limit of a rule on all updated devices together and on each hardware class that has the sample by
 * itself: a class that is beyond it is not hidden by the others. Undefined for a rule without a limit.
 * @param reading of all together
 */
export function byLimit(
  { metric, limit }: MetricRule,
  reading: Reading | undefined,
  arms: ReadonlyMap<string, Arms>,
  plan: GatePlan,
  hasSample: boolean,
): Part | undefined {
  if (limit === undefined) return undefined;
  const { unit, moreIsBetter, ground } = MEASURES[metric];
  const words = `the gate asks for ${moreIsBetter ? "at least" : "at most"} ${amount(limit, unit)}`;
  if (!reading && metric === "drift")
    return {
      verdict: "passed-over",
      words: `${words}, but it takes updated devices and others that report it`,
    };
  if (!reading) return { verdict: "inconclusive", words };
  if (!hasSample)
    return { verdict: "inconclusive", words: `${words} and is not judged before there is the sample` };

  const measured = [...arms].filter(([, { updated }]) => ground(updated) > 0).map(([name]) => name);
  const over = measured.filter((name) => readingOf(metric, onlyOf(arms, name), plan)?.isOver(limit));
  const sure = over.filter((name) => {
    const updated = arms.get(name)?.updated;
    return updated !== undefined && hasOwnSample(metric, updated, plan);
  });
  if (reading.isOver(limit)) {
    const against = [sure, over, measured].find(({ length }) => length > 0) ?? [];
    return { verdict: "violated", words, against };
  }
  // Drift is that of the class on which it is largest, so there is no more to see.
  const [first] = metric === "drift" ? [] : sure;
  if (first === undefined) return { verdict: "met", words };
  return { verdict: "violated", words, against: sure, only: first };
}
