import { total } from "./histogram.ts";
import { psi, psiThreshold } from "./psi.ts";

/** Counts of the bins of each feature, by its name. */
export type FeatureCounts = Readonly<Record<string, ArrayLike<number>>>;

/** When a histogram counts as drifted from its reference. */
export interface DriftRule {
  /** Chance that any feature of a window is beyond its threshold though nothing drifted, 0 to 1. */
  readonly alpha: number;
  /** Size of effect below which nothing counts as drift, however sure it is. */
  readonly minPsi: number;
}

/** How large a drift is. Bands of the size of effect alone: chance is dealt with before. */
export const DRIFT_BANDS = ["none", "slight", "moderate", "severe"] as const;
export type DriftBand = (typeof DRIFT_BANDS)[number];

const MODERATE = 0.1;
const SEVERE = 0.25;

export interface FeatureDrift {
  readonly feature: string;
  readonly psi: number;
  /** What chance alone reaches with the rule's alpha, shared out over the features. */
  readonly threshold: number;
  /** Values counted now, and how many independent ones they are worth. */
  readonly samples: number;
  readonly effective: number;
  readonly band: DriftBand;
}

/**
 * Each feature's drift from its reference, the largest first. Drifted is what exceeds both the threshold that is
 * calibrated for both sample sizes, `(1/n + 1/m)` times the chi-square quantile at `alpha / features`, and the least
 * size of effect. Features without a reference of equal bins, or without a value now, are left out.
 * @param effective how many independent values those of a feature are worth; all of them where it is not named
 * @param effectiveOfReference the same of the reference
 */
export function judgeDrift(
  reference: FeatureCounts,
  now: FeatureCounts,
  rule: DriftRule,
  effective: Readonly<Record<string, number>> = {},
  effectiveOfReference: Readonly<Record<string, number>> = {},
): FeatureDrift[] {
  const comparable = Object.entries(now).filter(
    ([feature, counts]) => reference[feature]?.length === counts.length && total(counts) > 0,
  );
  return comparable
    .map(([feature, counts]) => {
      const expected = reference[feature]!;
      const index = psi(expected, counts);
      const samples = total(counts);
      const worth = Math.min(samples, effective[feature] ?? samples);
      const all = total(expected);
      const threshold =
        psiThreshold(expected, counts, rule.alpha / comparable.length) *
        ((1 / worth + 1 / Math.min(all, effectiveOfReference[feature] ?? all)) / (1 / samples + 1 / all));
      const drifted = index > threshold && index > rule.minPsi;
      return {
        feature,
        psi: index,
        threshold,
        samples,
        effective: worth,
        band: drifted ? bandOf(index) : "none",
      } as const;
    })
    .sort((a, b) => rankOf(b) - rankOf(a) || b.psi - a.psi);
}

const bandOf = (index: number): DriftBand =>
  index >= SEVERE ? "severe" : index >= MODERATE ? "moderate" : "slight";

const rankOf = ({ band }: FeatureDrift): number => DRIFT_BANDS.indexOf(band);

/** How many of the last windows must have drifted for an alarm. */
export interface AlarmRule {
  readonly alarmWindows: number;
  readonly ofWindows: number;
}

/** Verdicts of the last windows, the newest last, and whether there is an alarm. */
export interface AlarmState {
  readonly recent: readonly boolean[];
  readonly alarm: boolean;
}

export const NO_ALARM: AlarmState = { recent: [], alarm: false };

/**
 * The state after one more window. An alarm begins when `alarmWindows` of the last `ofWindows` have drifted, and ends
 * when as many in a row have not: single windows neither raise nor end it.
 */
export function afterWindow(
  { recent, alarm }: AlarmState,
  drifted: boolean,
  { alarmWindows, ofWindows }: AlarmRule,
): AlarmState {
  const needed = Math.min(alarmWindows, ofWindows);
  const windows = [...recent, drifted].slice(-ofWindows);
  if (!alarm) return { recent: windows, alarm: windows.filter(Boolean).length >= needed };
  const last = windows.slice(-needed);
  const ends = last.length >= needed && !last.some(Boolean);
  // What raised one alarm must not raise the next.
  return ends ? NO_ALARM : { recent: windows, alarm };
}
