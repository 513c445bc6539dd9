import { MusterError } from "@muster/shared/errors";
import { Name } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { parseSelector } from "../fleet/selector.ts";
import { unknownPlaceholder } from "./sentences.ts";
import { SIGNAL_NAMES, SIGNALS } from "./signals.ts";

export const SEVERITIES = ["info", "warning", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What one alert stands for. Devices are counted by device, site, class or over the whole fleet. */
export const GROUPINGS = ["device", "site", "class", "fleet", "rollout"] as const;
export type Grouping = (typeof GROUPINGS)[number];

const Seconds = Type.Integer({ minimum: 0, maximum: 30 * 86_400 });

/** A rule as it is written; what is left out takes the default named here. */
export const AlertRuleInput = Type.Object(
  {
    signal: Type.Enum(SIGNAL_NAMES),
    /** The condition: the signal lies above, or below, this. Exactly one of the two. */
    above: Type.Optional(Type.Number()),
    below: Type.Optional(Type.Number()),
    /** How long the condition must hold before the alert fires; 0. */
    forSeconds: Type.Optional(Seconds),
    /** How long it must be over before the alert is resolved; 0. */
    keepFiringSeconds: Type.Optional(Seconds),
    /** `warning`. */
    severity: Type.Optional(Type.Enum(SEVERITIES)),
    /** Devices that the rule looks at; all. */
    selector: Type.Optional(Type.String({ maxLength: 1000 })),
    /** `device` for signals of devices; signals of rollouts and of the control plane have one of their own. */
    groupBy: Type.Optional(Type.Enum(GROUPINGS)),
    /** Devices of the group that must meet the condition; 1. */
    minDevices: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    /** Share of the group's devices whose signal is known; 0. */
    minPercent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    /** Rules whose alerts at the same place are not told while an alert of this one fires; none. */
    mutes: Type.Optional(Type.Array(Name, { maxItems: 16 })),
    /** Sentence that says what is wrong, with placeholders. */
    summary: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
    /** Sentence that says what to do. */
    remedy: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    /** True. */
    enabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type AlertRuleInput = Static<typeof AlertRuleInput>;

/** A rule with every default filled in. */
export type AlertRule = Required<Omit<AlertRuleInput, "above" | "below">> & {
  name: string;
  above: number | null;
  below: number | null;
};

const OWN_GROUPING = { device: "device", rollout: "rollout", "control-plane": "fleet" } as const;

/**
 * The rule with its defaults.
 * @throws MusterError `alert.rule-invalid`, or what the selector is refused with
 */
export function completeRule(name: string, input: AlertRuleInput): AlertRule {
  const { scope } = SIGNALS[input.signal];
  const invalid = (why: string): never => {
    throw new MusterError("alert.rule-invalid", `${name}: ${why}`);
  };
  if ((input.above === undefined) === (input.below === undefined))
    invalid("exactly one of `above` and `below` says when the condition holds.");
  const groupBy = input.groupBy ?? OWN_GROUPING[scope];
  const fits = scope === "device" ? groupBy !== "rollout" : groupBy === OWN_GROUPING[scope];
  if (!fits) invalid(`${input.signal} is measured per ${scope}: it cannot be grouped by ${groupBy}.`);
  if (scope !== "device" && (input.selector ?? "") !== "")
    invalid(`${input.signal} is measured per ${scope}: a selector of devices does not apply.`);
  parseSelector(input.selector ?? "");
  const summary = input.summary ?? "{subject}: {signal} is {value}, the limit is {threshold}.";
  const remedy = input.remedy ?? "Look at `muster alert show`, and at the devices that it names.";
  for (const text of [summary, remedy]) {
    const unknown = unknownPlaceholder(text);
    if (unknown !== undefined) invalid(`there is no placeholder {${unknown}}.`);
  }
  return {
    name,
    signal: input.signal,
    above: input.above ?? null,
    below: input.below ?? null,
    forSeconds: input.forSeconds ?? 0,
    keepFiringSeconds: input.keepFiringSeconds ?? 0,
    severity: input.severity ?? "warning",
    selector: input.selector ?? "",
    groupBy,
    minDevices: input.minDevices ?? 1,
    minPercent: input.minPercent ?? 0,
    mutes: input.mutes ?? [],
    summary,
    remedy,
    enabled: input.enabled ?? true,
  };
}

/** Whether a value meets the rule's condition. */
export const breaches = ({ above, below }: AlertRule, value: number): boolean =>
  above !== null ? value > above : below !== null && value < below;

/**
 * A circle of rules that mute each other would leave nothing to tell.
 * @throws MusterError `alert.rule-invalid` naming the circle that begins at this rule
 */
export function requireNoCircle(rule: AlertRule, others: readonly AlertRule[]): void {
  const mutesOf = new Map(others.map(({ name, mutes }) => [name, mutes]));
  mutesOf.set(rule.name, rule.mutes);
  const seen = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    for (const next of mutesOf.get(name) ?? []) {
      if (next === rule.name)
        throw new MusterError("alert.rule-invalid", `These mute each other: ${[...path, next].join(", ")}.`);
      if (seen.has(next)) continue;
      seen.add(next);
      visit(next, [...path, next]);
    }
  };
  visit(rule.name, [rule.name]);
}
