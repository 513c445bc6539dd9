import { onlyOf, updatedOf } from "./arms.ts";
import { byComparison } from "./by-comparison.ts";
import { byLimit } from "./by-limit.ts";
import type { GateInput } from "./input.ts";
import { MEASURES } from "./measures.ts";
import type { MetricRule } from "./plan.ts";
import { readingOf } from "./readings.ts";
import { hasSampleOf } from "./sample-condition.ts";
import type { ConditionView } from "./views.ts";
import { comparedRules } from "./wagers.ts";

export interface MetricCondition {
  view: ConditionView;
  /** Hardware classes that speak against the release; none unless it is violated. */
  against: readonly string[];
}

/** One condition for each metric rule of the plan, in its order. */
export function metricConditions(input: GateInput, hasSample: boolean): MetricCondition[] {
  const { plan, number, evidence } = input;
  const arms = evidence.exposures.arms();
  const compared: readonly MetricRule[] = comparedRules(plan);
  return plan.metrics.map((rule) => {
    const { unit, name } = MEASURES[rule.metric];
    const whole = readingOf(rule.metric, arms, plan);
    const enough = hasSampleOf(rule.metric, updatedOf(arms), plan, hasSample);
    const limited = byLimit(rule, whole, arms, plan, enough);
    const index = compared.indexOf(rule);
    const versus = index === -1 ? undefined : byComparison(rule, index, arms, input);
    const parts = [limited, versus].filter((part) => part !== undefined);
    const violated = parts.filter(({ verdict }) => verdict === "violated");
    const [first] = violated;
    const only = violated.every((part) => part.only === first?.only) ? first?.only : undefined;
    const reading = only === undefined ? whole : readingOf(rule.metric, onlyOf(arms, only), plan);
    const read = reading?.words ?? `no updated device has reported the ${name}`;
    const against = [...new Set(violated.flatMap((part) => part.against ?? []))];
    const others = only === undefined ? [] : against.filter((hardwareClass) => hardwareClass !== only);
    const also = others.length > 0 ? [`it is beyond that on ${others.join(", ")} too`] : [];
    const words = [read, ...parts.map((part) => part.words), ...also].join("; ");
    return {
      view: {
        kind: rule.metric,
        verdict: heaviest(parts.map(({ verdict }) => verdict)),
        value: reading?.value ?? null,
        threshold: rule.limit ?? versus?.threshold ?? null,
        control: reading?.control ?? null,
        comparison: versus?.comparison ?? null,
        unit,
        sentence: `Wave ${number}: ${only === undefined ? "" : `on hardware class ${only} `}${words}.`,
      },
      against,
    };
  });
}

const WEIGHT = ["passed-over", "met", "inconclusive", "violated"] as const;

const heaviest = (verdicts: readonly ConditionView["verdict"][]): ConditionView["verdict"] =>
  WEIGHT.findLast((verdict) => verdicts.includes(verdict)) ?? "passed-over";
