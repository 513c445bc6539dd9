import { LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import { shareFrom } from "@muster/shared/stats/histogram";
import { psi } from "@muster/shared/stats/psi";
import type { Arms } from "../exposure/exposures.ts";
import { CRASHES, confidenceOf, latencyOf, SERVING_MS, type Sums } from "../exposure/sums.ts";
import { MEASURES, p95Of } from "./measures.ts";
import type { GatePlan, Metric } from "./plan.ts";
import type { ConditionView } from "./views.ts";
import { stakeLimit, type Wagers } from "./wagers.ts";

const HOUR_MS = 3_600_000;
/** Keeps a stake that nobody could read within what JSON and sentences can show. */
const HIGHEST_SHOWN = 1e12;

/** The sequential test of a compared rule as it stands: the round with the highest stake speaks. */
export function comparisonOf(
  plan: GatePlan,
  wagers: Wagers | null,
  index: number,
): NonNullable<ConditionView["comparison"]> {
  const limit = stakeLimit(plan);
  let best = { devices: 0, controls: 0, peak: 0 };
  for (const { tests } of wagers?.rounds ?? []) {
    const test = tests[index];
    if (test && (best.devices === 0 || test.peak > best.peak))
      best = { devices: test.all.entries, controls: test.controls, peak: test.peak };
  }
  const stake = Math.min(HIGHEST_SHOWN, Math.exp(best.peak));
  return { devices: best.devices, controls: best.controls, stake, limit };
}

/** Whose ranks convict the release: those of all devices together, and those of single hardware classes. */
export interface Convicting {
  all: boolean;
  classes: string[];
}

/**
 * Where the stake of a compared rule has reached its limit, at least one of the bets it is the mean of has; the
 * ranks of those convict. None where the stake has not.
 */
export function convictingOf(plan: GatePlan, wagers: Wagers | null, index: number): Convicting {
  const limit = Math.log(stakeLimit(plan));
  const classes = new Set<string>();
  let all = false;
  for (const { tests } of wagers?.rounds ?? []) {
    const test = tests[index];
    if (!test || test.peak < limit) continue;
    all ||= test.all.peak >= limit;
    for (const [name, { peak }] of Object.entries(test.classes)) if (peak >= limit) classes.add(name);
  }
  return { all, classes: [...classes].sort() };
}

/**
 * True when the updated devices, taken together, are worse than the others by more than the plan tolerates. The
 * ranks alone would also stir where a release is better for some and the same for the rest.
 */
export function isWorse(metric: Metric, { updated, control }: Arms, tolerance: number): boolean {
  switch (metric) {
    case "latency-p95":
      return isSlower(updated, control, tolerance);
    case "drift":
      return psi(confidenceOf(updated), confidenceOf(control)) > tolerance;
    case "crash-free-hours":
      // By the rate: a device that has served for less than an hour is voided whole by one crash.
      return crashPercent(updated) > crashPercent(control) + tolerance;
    default: {
      const { badness } = MEASURES[metric];
      return badness !== undefined && badness(updated) > badness(control) + tolerance;
    }
  }
}

const crashPercent = (sums: Sums): number => (100 * (sums[CRASHES] ?? 0) * HOUR_MS) / (sums[SERVING_MS] || 1);

/**
 * Compares at bin edges only, where shares are exact: at the lower edge of the bin that has the updated devices'
 * p95, are more of their inferences above it than of the others' above that edge less the tolerance (down to the
 * next edge)? Where inside its bin a value lies can therefore not make a release slower.
 */
function isSlower(updated: Sums, control: Sums, tolerance: number): boolean {
  const edge = p95Of(updated)?.lower ?? 0;
  const tolerated = edge / (1 + tolerance / 100);
  const below = LATENCY_EDGES_MS.findLast((candidate) => candidate <= tolerated);
  if (edge === 0 || below === undefined) return false;
  const share = (sums: Sums, from: number) => shareFrom(LATENCY_EDGES_MS, latencyOf(sums), from);
  return share(updated, edge) > share(control, below);
}
