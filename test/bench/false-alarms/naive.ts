import type { Exposures } from "@muster/control-plane/rollouts/exposure/exposures";
import {
  CRASHES,
  FAILURES,
  FALLBACKS,
  INFERENCES,
  latencyOf,
  SERVING_MS,
  type Sums,
} from "@muster/control-plane/rollouts/exposure/sums";
import { LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import { quantile, shareFrom } from "@muster/shared/stats/histogram";

/** One-sided normal quantiles for the rates that are simulated, shared out over the four shares below. */
const CRITICAL: Record<number, number> = { 1: 2.807, 5: 2.241 };

/**
 * What many dashboards do: a z-test of each share, all inferences (or serving hours) of an arm counted as if they
 * were independent, with a fixed threshold, and looked at as often as one likes.
 */
export function isNaiveAlarm(exposures: Exposures, falseAlarmPercent: number): boolean {
  const critical = CRITICAL[falseAlarmPercent];
  if (critical === undefined) throw new Error(`no critical value for ${falseAlarmPercent} %`);
  for (const { updated, control } of exposures.arms().values()) {
    const n = updated[INFERENCES] ?? 0;
    const m = control[INFERENCES] ?? 0;
    const slow = quantile(LATENCY_EDGES_MS, latencyOf(control), 0.95)?.lower ?? 0;
    const isSlow = (sums: Sums, all: number) => shareFrom(LATENCY_EDGES_MS, latencyOf(sums), slow) * all;
    const minutes = (sums: Sums) => (sums[SERVING_MS] ?? 0) / 60_000;
    const scores = [
      score(updated[FAILURES] ?? 0, n, control[FAILURES] ?? 0, m),
      score(updated[FALLBACKS] ?? 0, n, control[FALLBACKS] ?? 0, m),
      score(isSlow(updated, n), n, isSlow(control, m), m),
      score(updated[CRASHES] ?? 0, minutes(updated), control[CRASHES] ?? 0, minutes(control)),
    ];
    if (scores.some((value) => value > critical)) return true;
  }
  return false;
}

/** z of two shares with the pooled variance. */
function score(a: number, n: number, b: number, m: number): number {
  if (n === 0 || m === 0) return 0;
  const pooled = (a + b) / (n + m);
  const variance = pooled * (1 - pooled) * (1 / n + 1 / m);
  return variance > 0 ? (a / n - b / m) / Math.sqrt(variance) : 0;
}
