import type { AlertPlace } from "./alert.ts";
import type { AlertRule } from "./rule.ts";
import { SIGNALS } from "./signals.ts";
import type { Reading } from "./tally.ts";

/** Places in a rule's sentences that are filled in. */
const PLACEHOLDERS = {
  subject: "the device, site, class or rollout",
  value: "the worst value with its unit",
  threshold: "the limit with its unit",
  signal: "the name of the signal",
  breaching: "how many devices meet the condition",
  members: "how many devices of the group have a known signal",
  percent: "the share of the two",
  examples: "names of some of the devices",
  about: "what the control plane says about a rollout",
} as const;

const PLACEHOLDER = /\{(\w+)\}/g;

/** The first placeholder in the text that does not exist. */
export function unknownPlaceholder(text: string): string | undefined {
  for (const [, name = ""] of text.matchAll(PLACEHOLDER)) if (!Object.hasOwn(PLACEHOLDERS, name)) return name;
  return undefined;
}

const figure = (value: number): string => String(Math.round(value * 10) / 10);

function withUnit(rule: AlertRule, value: number): string {
  const { unit } = SIGNALS[rule.signal];
  if (unit === "" || unit === "0 or 1") return figure(value);
  return unit === "%" ? `${figure(value)} %` : `${figure(value)} ${unit}`;
}

export function subjectOf(place: AlertPlace): string {
  if (place.rollout !== null) return `Rollout ${place.name ?? place.rollout}`;
  if (place.device !== null) return `${place.name ?? place.device} at ${place.site}`;
  if (place.site !== null) return `Site ${place.site}`;
  if (place.hardwareClass !== null) return `Class ${place.hardwareClass}`;
  return "The fleet";
}

/** Names that a sentence lists before it says how many more there are. */
const NAMED = 3;

function examplesOf({ examples, breaching }: Reading): string {
  const named = examples.slice(0, NAMED);
  const more = breaching - named.length;
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}

/** The template with the reading's figures in its places. */
export function sentenceOf(template: string, rule: AlertRule, reading: Reading): string {
  return template.replace(PLACEHOLDER, (whole, name: string) => {
    switch (name as keyof typeof PLACEHOLDERS) {
      case "subject":
        return subjectOf(reading.place);
      case "value":
        return withUnit(rule, reading.worst);
      case "threshold":
        return withUnit(rule, rule.above ?? rule.below ?? 0);
      case "signal":
        return rule.signal;
      case "breaching":
        return String(reading.breaching);
      case "members":
        return String(reading.known);
      case "percent":
        return `${figure(reading.known === 0 ? 0 : (100 * reading.breaching) / reading.known)} %`;
      case "examples":
        return examplesOf(reading);
      case "about":
        return reading.about;
      default:
        return whole;
    }
  });
}
