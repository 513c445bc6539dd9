import type { DriftWindow } from "@muster/shared/protocol/drift-window";
import { type AlarmState, NO_ALARM } from "@muster/shared/stats/drift";

/** Windows and time from which a device learns what is normal for itself: a day holds its shifts and its lights. */
const BASELINE_WINDOWS = 6;
const BASELINE_MS = 86_400_000;

/** What this device saw in its first day of a release; frozen once it has it. */
export interface Baseline {
  readonly windows: number;
  /** Begin of the first window, milliseconds since the epoch. */
  readonly since: number | null;
  /** It has seen enough. */
  readonly frozen: boolean;
  readonly counts: Readonly<Record<string, readonly number[]>>;
  /** How many independent values those of a feature are worth. */
  readonly effective: Readonly<Record<string, number>>;
}

/** What is remembered of one variant of one release between windows. */
export interface SeriesState {
  readonly baseline: Baseline;
  readonly againstReference: AlarmState;
  readonly againstBaseline: AlarmState;
}

export const NEW_SERIES: SeriesState = {
  baseline: { windows: 0, since: null, frozen: false, counts: {}, effective: {} },
  againstReference: NO_ALARM,
  againstBaseline: NO_ALARM,
};

/** The baseline with one more window in it. */
export function learned(baseline: Baseline, { features, effective, from, to }: DriftWindow): Baseline {
  const counts: Record<string, readonly number[]> = {};
  const worth: Record<string, number> = {};
  for (const [feature, added] of Object.entries(features)) {
    const known = baseline.counts[feature];
    const fits = known?.length === added.length;
    counts[feature] = fits ? added.map((count, bin) => count + known[bin]!) : added;
    worth[feature] = (fits ? (baseline.effective[feature] ?? 0) : 0) + (effective[feature] ?? 0);
  }
  // A clock that was set back begins the day anew.
  const since = baseline.since === null || baseline.since > from ? from : baseline.since;
  const windows = baseline.windows + 1;
  const frozen = windows >= BASELINE_WINDOWS && to - since >= BASELINE_MS;
  return { windows, since, frozen, counts, effective: worth };
}
