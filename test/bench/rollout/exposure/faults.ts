import { pick, type Random } from "../../../models/training/random.ts";

/** What a bad release does. The first two show in what devices report, the others in their heartbeats only. */
export const FAULTS = ["failed updates", "runner crashes", "error rate", "latency"] as const;
export type FaultKind = (typeof FAULTS)[number];

/** Share of inferences that fail, and factor on their time, where that is what is wrong. */
export const ERROR_RATE = 0.1;
export const SLOWNESS = 2;

export const SCOPES = ["one class", "all"] as const;
export type Scope = (typeof SCOPES)[number];

/** The plans under test; all that they do not say is as shipped. */
export const PLANS = {
  "1 %": [{ percent: 1 }, { percent: 10 }, { percent: 100 }],
  "4 of each class": [{ canary: 4 }, { percent: 10 }, { percent: 100 }],
};
export type PlanName = keyof typeof PLANS;

/** One rollout of a release that nobody knows yet; without a fault it is a good one. */
export interface Trial {
  plan: PlanName;
  fault?: FaultKind;
  scope?: Scope;
}

const GOOD: Trial = { plan: "1 %" };

/** With few canaries of a class only faults that every device shows can be told from chance in their wave. */
const WITH_MORE_CANARIES: readonly Trial[] = (["error rate", "latency"] as const).map((fault) => ({
  plan: "4 of each class",
  fault,
  scope: "one class",
}));

export const TRIALS: readonly Trial[] = [
  ...FAULTS.flatMap((fault) => SCOPES.map((scope): Trial => ({ plan: "1 %", fault, scope }))),
  ...WITH_MORE_CANARIES,
  GOOD,
];

/** Hardware classes on which the release is bad. */
export const classesHit = (
  { fault, scope }: Trial,
  classes: readonly string[],
  random: Random,
): ReadonlySet<string> =>
  new Set(
    fault === undefined ? [] : scope === "all" ? classes : [classes[pick(random, classes.length)] ?? ""],
  );
