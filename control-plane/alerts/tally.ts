import { matches, parseSelector, type Selector, type SelectorSubject } from "../fleet/selector.ts";
import type { AlertPlace } from "./alert.ts";
import { type AlertRule, breaches, type Grouping } from "./rule.ts";
import type { DeviceSubject, RolloutSubject } from "./signal-source.ts";
import { SIGNALS, type Signals } from "./signals.ts";

/** What one evaluation saw of a rule in one group. */
export interface Reading {
  place: AlertPlace;
  /** Members whose signal is known, and those among them that meet the condition. */
  known: number;
  breaching: number;
  /** Most extreme value of those that meet the condition, else of all. */
  worst: number;
  examples: string[];
  about: string;
}

/** Names kept of the devices that meet a condition. */
const MAX_EXAMPLES = 20;

const NOWHERE: AlertPlace = { device: null, name: null, site: null, hardwareClass: null, rollout: null };

interface Counter {
  rule: AlertRule;
  selector: Selector;
  /** Groups of the rule's active alerts: they are followed also when all is well. */
  followed: ReadonlySet<string>;
  readings: Map<string, Reading>;
}

/**
 * Counts, device by device, what each rule looks at: fed in pieces, so that ten thousand devices need not be
 * gone through in one go.
 */
export class Tally {
  readonly #counters: Counter[];

  /** @param followed groups that have an active alert, by the name of the rule */
  constructor(rules: readonly AlertRule[], followed: ReadonlyMap<string, ReadonlySet<string>>) {
    const none: ReadonlySet<string> = new Set();
    this.#counters = rules.map((rule) => ({
      rule,
      selector: parseSelector(rule.selector),
      followed: followed.get(rule.name) ?? none,
      readings: new Map(),
    }));
  }

  addDevice({ facts: device, signals }: DeviceSubject): void {
    for (const counter of this.#counters) {
      const { rule, selector, readings, followed } = counter;
      if (SIGNALS[rule.signal].scope !== "device") continue;
      if (selector.length > 0 && !matches(selector, device)) continue;
      const value = signals[rule.signal];
      const group = groupOf(rule.groupBy, device);
      let reading = readings.get(group);
      if (reading === undefined) {
        // Of ten thousand healthy devices there is nothing to remember.
        if (
          rule.groupBy === "device" &&
          !followed.has(group) &&
          (value === undefined || !breaches(rule, value))
        )
          continue;
        reading = newReading(placeOf(rule.groupBy, device));
        readings.set(group, reading);
      }
      if (value !== undefined) count(rule, reading, value, device.name);
    }
  }

  addRollout({ rollout, name, about, signals }: RolloutSubject): void {
    this.#addOne("rollout", rollout, { ...NOWHERE, rollout, name }, signals, name, about);
  }

  addControlPlane(signals: Signals): void {
    this.#addOne("control-plane", "", NOWHERE, signals, "control plane", "");
  }

  readingsOf(rule: string): ReadonlyMap<string, Reading> {
    return this.#counters.find((counter) => counter.rule.name === rule)?.readings ?? new Map();
  }

  #addOne(
    scope: "rollout" | "control-plane",
    group: string,
    place: AlertPlace,
    signals: Signals,
    name: string,
    about: string,
  ): void {
    for (const { rule, readings } of this.#counters) {
      if (SIGNALS[rule.signal].scope !== scope) continue;
      const reading = newReading(place, about);
      readings.set(group, reading);
      const value = signals[rule.signal];
      if (value !== undefined) count(rule, reading, value, name);
    }
  }
}

const newReading = (place: AlertPlace, about = ""): Reading => ({
  place,
  known: 0,
  breaching: 0,
  worst: 0,
  examples: [],
  about,
});

function count(rule: AlertRule, reading: Reading, value: number, name: string): void {
  const worse = rule.above === null ? value < reading.worst : value > reading.worst;
  if (reading.known === 0 || worse) reading.worst = value;
  reading.known += 1;
  if (!breaches(rule, value)) return;
  reading.breaching += 1;
  if (reading.examples.length < MAX_EXAMPLES) reading.examples.push(name);
}

function groupOf(groupBy: Grouping, device: SelectorSubject): string {
  if (groupBy === "device") return device.id;
  if (groupBy === "site") return device.site;
  return groupBy === "class" ? device.hardwareClass : "";
}

function placeOf(groupBy: Grouping, { id, name, site, hardwareClass }: SelectorSubject): AlertPlace {
  if (groupBy === "device") return { device: id, name, site, hardwareClass, rollout: null };
  if (groupBy === "site") return { ...NOWHERE, site };
  return groupBy === "class" ? { ...NOWHERE, hardwareClass } : NOWHERE;
}
