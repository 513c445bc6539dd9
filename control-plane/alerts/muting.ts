import { matches, parseSelector, type Selector } from "../fleet/selector.ts";
import { type Alert, alertKey, type Muting } from "./alert.ts";
import { alertSubject } from "./alert-subject.ts";
import type { AlertRule } from "./rule.ts";
import { subjectOf } from "./sentences.ts";
import type { AlertPlaces } from "./signal-source.ts";
import type { Silence } from "./silence.ts";

/** Decides which firing alerts are not told: built once for each evaluation. */
export class Mutes {
  /** Firing alerts that mute, by the rule that they mute and by where. */
  readonly #byPlace = new Map<string, Alert>();
  readonly #silences: { silence: Silence; selector: Selector }[];
  readonly #places: AlertPlaces;

  /** @param silences those in force now */
  constructor(
    rules: readonly AlertRule[],
    active: Iterable<Alert>,
    silences: readonly Silence[],
    places: AlertPlaces,
  ) {
    this.#places = places;
    const mutesOf = new Map(rules.filter(({ mutes }) => mutes.length > 0).map((rule) => [rule.name, rule]));
    for (const alert of active) {
      const rule = mutesOf.get(alert.rule);
      if (rule === undefined || alert.state !== "firing") continue;
      for (const muted of rule.mutes)
        this.#byPlace.set(alertKey(muted, placeKey(rule.groupBy, alert.group)), alert);
    }
    this.#silences = silences.map((silence) => ({ silence, selector: parseSelector(silence.selector) }));
  }

  /** The first reason not to tell of this alert; undefined where it is told. */
  of(alert: Alert): Muting | undefined {
    const subject = this.#silences.length > 0 ? alertSubject(alert, this.#places) : undefined;
    for (const { silence, selector } of this.#silences)
      if (subject !== undefined && matches(selector, subject))
        return {
          by: "silence",
          id: silence.id,
          sentence: `Silenced by ${silence.createdBy}: ${silence.reason}`,
        };
    if (this.#byPlace.size === 0) return undefined;
    for (const place of placesOf(alert)) {
      const muter = this.#byPlace.get(alertKey(alert.rule, place));
      if (muter !== undefined && muter.id !== alert.id)
        return {
          by: "alert",
          id: muter.id,
          sentence: `Told already by ${muter.rule}: ${subjectOf(muter.place)}.`,
        };
    }
    return undefined;
  }
}

const placeKey = (kind: string, group: string): string => `${kind}:${group}`;

/** Everywhere that the alert is, the widest first. */
function placesOf({ place: { device, site, hardwareClass, rollout } }: Alert): string[] {
  const places = [placeKey("fleet", "")];
  if (hardwareClass !== null) places.push(placeKey("class", hardwareClass));
  if (site !== null) places.push(placeKey("site", site));
  if (device !== null) places.push(placeKey("device", device));
  if (rollout !== null) places.push(placeKey("rollout", rollout));
  return places;
}
