import { afterWindow, type DriftRule, judgeDrift, NO_ALARM } from "@muster/shared/stats/drift";
import { psi } from "@muster/shared/stats/psi";
import type { Random } from "../false-alarms/random.ts";
import { drawReference, drawWindow, type Reference, type Stream, type Window } from "./world.ts";

export interface Setting {
  readonly bins: number;
  readonly features: number;
  /** Of the reference, and of one window. */
  readonly reference: number;
  readonly samples: number;
}

const FIXED_BAND = 0.1;

/** What each way to judge says of one window of a new device. */
export interface Judged {
  /** PSI above 0.1 in any feature, as dashboards do. */
  readonly fixed: boolean;
  /** Above what chance explains of independent values. */
  readonly chance: boolean;
  /** And above the least size of effect. */
  readonly blind: boolean;
  /** And with values counted for what they are worth: what this project does. */
  readonly drifted: boolean;
}

export function judgeOne(random: Random, setting: Setting, stream: Stream, rule: DriftRule): Judged {
  const device = new SimulatedDevice(random, setting, stream);
  return judge(device.references, device.window(), rule);
}

type Counts = Record<string, readonly number[]>;
type Features = Record<string, Window>;

/** A device with a reference of its own and as many windows as are asked for. */
class SimulatedDevice {
  readonly references: Counts;
  readonly #drawn: readonly (readonly [string, Reference])[];
  readonly #next: (reference: Reference) => Window;

  constructor(random: Random, { bins, features, reference, samples }: Setting, stream: Stream) {
    const names = Array.from({ length: features }, (_, index) => `f${index}`);
    this.#drawn = names.map((name) => [name, drawReference(random, bins, reference)] as const);
    this.references = Object.fromEntries(this.#drawn.map(([name, { counts }]) => [name, counts]));
    this.#next = (each) => drawWindow(random, each, samples, stream);
  }

  window(): Features {
    return Object.fromEntries(this.#drawn.map(([name, reference]) => [name, this.#next(reference)]));
  }
}

function judge(references: Counts, window: Features, rule: DriftRule): Judged {
  const entries = Object.entries(window);
  const counts = Object.fromEntries(entries.map(([name, each]) => [name, each.counts]));
  const effective = Object.fromEntries(entries.map(([name, each]) => [name, each.effective]));
  const isDrift = (minPsi: number, worth = {}) =>
    judgeDrift(references, counts, { ...rule, minPsi }, worth)[0]?.band !== "none";
  return {
    fixed: entries.some(([name, each]) => psi(references[name]!, each.counts) > FIXED_BAND),
    chance: isDrift(0),
    blind: isDrift(rule.minPsi),
    drifted: isDrift(rule.minPsi, effective),
  };
}

export interface AlarmRule extends DriftRule {
  readonly alarmWindows: number;
  readonly ofWindows: number;
}

/** Window in which the alarm begins, from 1; null when it does not within `windows`. */
export function alarmAt(
  random: Random,
  setting: Setting,
  stream: Stream,
  rule: AlarmRule,
  windows: number,
  way: keyof Judged = "drifted",
): number | null {
  const device = new SimulatedDevice(random, setting, stream);
  let state = NO_ALARM;
  for (let index = 1; index <= windows; index += 1) {
    const judged = judge(device.references, device.window(), rule);
    state = afterWindow(state, judged[way], rule);
    if (state.alarm) return index;
  }
  return null;
}
