import type { Arms } from "../exposure/exposures.ts";
import { amount } from "./amounts.ts";
import { comparable } from "./arms.ts";
import { byComparison, type Part } from "./by-comparison.ts";
import { isWorse } from "./comparison.ts";
import type { GateInput } from "./input.ts";
import { MEASURES } from "./measures.ts";
import type { GatePlan, MetricRule } from "./plan.ts";
import { type Reading, readingOf } from "./readings.ts";
import type { ConditionView } from "./views.ts";
import { comparedRules } from "./wagers.ts";

/** One condition for each metric rule of the plan, in its order. */
export function metricConditions(input: GateInput, hasSample: boolean): ConditionView[] {
  const arms = input.evidence.exposures.arms();
  const compared: readonly MetricRule[] = comparedRules(input.plan);
  return input.plan.metrics.map((rule) => {
    const reading = readingOf(rule.metric, arms, input.plan);
    const limited = byLimit(rule, reading, hasSample);
    const index = compared.indexOf(rule);
    const versus = index === -1 ? undefined : byComparison(rule, index, arms, input);
    const verdict = heavier(limited?.verdict, versus?.verdict);
    return {
      kind: rule.metric,
      verdict,
      value: reading?.value ?? null,
      threshold: rule.limit ?? versus?.threshold ?? null,
      control: versus?.control ?? reading?.control ?? null,
      comparison: versus?.comparison ?? null,
      unit: MEASURES[rule.metric].unit,
      sentence: `Wave ${input.number}: ${[reading?.words ?? `no updated device has reported the ${MEASURES[rule.metric].name}`, limited?.words, versus?.words].filter(Boolean).join("; ")}.`,
    };
  });
}

/**
 * Hardware classes that speak against the release: those on which a violated metric is beyond its limit or worse
 * than tolerated by itself, and where that is none, all on which it was measured.
 */
export function implicated(input: GateInput, conditions: readonly ConditionView[]): string[] {
  const violated = conditions.filter(({ verdict }) => verdict === "violated");
  const found = new Set<string>();
  for (const rule of input.plan.metrics.filter(({ metric }) =>
    violated.some(({ kind }) => kind === metric),
  )) {
    const measured = [...input.evidence.exposures.arms()].filter(
      ([, { updated }]) => MEASURES[rule.metric].ground(updated) > 0,
    );
    const worse = measured.filter((entry) => isBad(rule, new Map([entry]), input.plan));
    for (const [hardwareClass] of worse.length > 0 ? worse : measured) found.add(hardwareClass);
  }
  return [...found].sort();
}

function isBad(rule: MetricRule, arms: ReadonlyMap<string, Arms>, plan: GatePlan): boolean {
  const { metric, limit, tolerance } = rule;
  if (limit !== undefined && readingOf(metric, arms, plan)?.isOver(limit)) return true;
  const pair = comparable(arms, metric);
  return tolerance !== undefined && pair !== undefined && isWorse(metric, pair, tolerance);
}

const WEIGHT = ["passed-over", "met", "inconclusive", "violated"] as const;

function heavier(...verdicts: (ConditionView["verdict"] | undefined)[]): ConditionView["verdict"] {
  return WEIGHT.findLast((verdict) => verdicts.includes(verdict)) ?? "passed-over";
}

function byLimit(
  { metric, limit }: MetricRule,
  reading: Reading | undefined,
  hasSample: boolean,
): Part | undefined {
  if (limit === undefined) return undefined;
  const { unit, moreIsBetter } = MEASURES[metric];
  const words = `the gate asks for ${moreIsBetter ? "at least" : "at most"} ${amount(limit, unit)}`;
  if (!reading && metric === "drift")
    return {
      verdict: "passed-over",
      words: `${words}, but it takes updated devices and others that report it`,
    };
  if (!reading) return { verdict: "inconclusive", words };
  if (!hasSample)
    return { verdict: "inconclusive", words: `${words} and is not judged before there is the sample` };
  return { verdict: reading.isOver(limit) ? "violated" : "met", words };
}
