import type { Arms } from "../exposure/exposures.ts";
import { amount, plain } from "./amounts.ts";
import { comparable, driftOf, updatedOf } from "./arms.ts";
import { MEASURES, p95Of } from "./measures.ts";
import type { GatePlan, Metric } from "./plan.ts";

/** What a metric reads on the updated devices of the wave. */
export interface Reading {
  value: number;
  control: number | null;
  words: string;
  /** Strictly beyond the limit, and certainly so. */
  isOver(limit: number): boolean;
}

/** Undefined where no updated device reports the metric, and for drift also where no other does. */
export function readingOf(
  metric: Metric,
  arms: ReadonlyMap<string, Arms>,
  plan: GatePlan,
): Reading | undefined {
  const { unit, name, moreIsBetter, ground, badness } = MEASURES[metric];
  const updated = updatedOf(arms);
  if (ground(updated) === 0) return undefined;
  const control = comparable(arms, metric)?.control;
  if (metric === "drift") {
    const drift = driftOf(arms, plan);
    if (!drift) return undefined;
    return {
      value: drift.psi,
      control: null,
      words: `the ${name} is ${amount(drift.psi, unit)} away from the devices not updated yet, where chance alone reaches ${amount(drift.threshold, unit)}`,
      isOver: (limit) => drift.psi > limit && drift.psi > drift.threshold,
    };
  }
  const read = (bad: number) => (moreIsBetter ? 100 - bad : bad);
  const value = read(badness?.(updated) ?? 0);
  const against = control ? read(badness?.(control) ?? 0) : null;
  const words = `the ${name} ${name.endsWith("hours") ? "are" : "is"} ${amount(value, unit)}${against === null ? "" : `, ${amount(against, unit)} on the devices not updated yet`}`;
  if (metric !== "latency-p95")
    return {
      value,
      control: against,
      words,
      isOver: (limit) => (moreIsBetter ? value < limit : value > limit),
    };
  const { lower = 0, upper = 0 } = p95Of(updated) ?? {};
  const bin =
    upper === Number.POSITIVE_INFINITY
      ? `${plain(lower)} ms or more`
      : `${plain(lower)} to ${plain(upper)} ms`;
  return {
    value,
    control: against,
    words: `${words} (it lies in the bin of ${bin})`,
    // The bin is all that is known for certain.
    isOver: (limit) => lower >= limit,
  };
}
