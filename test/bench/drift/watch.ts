import { afterWindow, type DriftRule, judgeDrift, NO_ALARM } from "@muster/shared/stats/drift";
import { psi } from "@muster/shared/stats/psi";
import type { Random } from "../false-alarms/random.ts";
import { drawReference, drawWindow, type Stream } from "./world.ts";

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
  /** Above what chance explains. */
  readonly chance: boolean;
  /** And above the least size of effect: what this project does. */
  readonly drifted: boolean;
}

export function judgeOne(random: Random, setting: Setting, stream: Stream, rule: DriftRule): Judged {
  const [references, windows] = draw(random, setting, stream, 1);
  return judge(references, windows[0]!, rule);
}

type Features = Record<string, number[]>;

function draw(random: Random, setting: Setting, stream: Stream, count: number): [Features, Features[]] {
  const { bins, features, reference, samples } = setting;
  const names = Array.from({ length: features }, (_, index) => `f${index}`);
  const drawn = names.map((name) => [name, drawReference(random, bins, reference)] as const);
  const windows = Array.from({ length: count }, () =>
    Object.fromEntries(drawn.map(([name, each]) => [name, drawWindow(random, each, samples, stream)])),
  );
  return [Object.fromEntries(drawn.map(([name, { counts }]) => [name, [...counts]])), windows];
}

function judge(references: Features, window: Features, rule: DriftRule): Judged {
  const isDrift = (minPsi: number) => judgeDrift(references, window, { ...rule, minPsi })[0]?.band !== "none";
  return {
    fixed: Object.entries(window).some(([name, counts]) => psi(references[name]!, counts) > FIXED_BAND),
    chance: isDrift(0),
    drifted: isDrift(rule.minPsi),
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
): number | null {
  const [references, drawn] = draw(random, setting, stream, windows);
  let state = NO_ALARM;
  for (const [index, window] of drawn.entries()) {
    state = afterWindow(state, judge(references, window, rule).drifted, rule);
    if (state.alarm) return index + 1;
  }
  return null;
}
