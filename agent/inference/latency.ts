import type { InferenceCounters } from "@muster/shared/protocol/messages";
import type { Histogram } from "@muster/shared/protocol/model-evidence";
import { addHistograms, emptyHistogram } from "@muster/shared/stats/histogram";

/** What runners count of inferences; the sum over the same bins is again one. */
export type Tally = Pick<
  InferenceCounters,
  "inferences" | "failures" | "fallbacks" | "degraded" | "refused" | "cpuMs" | "latency" | "confidence"
>;

/** Upper bounds of the bins in which runners count. */
export interface TallyEdges {
  /** Milliseconds. */
  readonly latency: readonly number[];
  /** Scores, 0 to 1. */
  readonly confidence: readonly number[];
}

/** A tally of nothing. */
export const emptyTally = ({ latency, confidence }: TallyEdges): Tally => ({
  inferences: 0,
  failures: 0,
  fallbacks: 0,
  degraded: 0,
  refused: 0,
  cpuMs: 0,
  latency: emptyHistogram(latency),
  confidence: emptyHistogram(confidence),
});

/** The sum of two tallies over the same bins. */
export const addTally = (a: Tally, b: Tally): Tally => ({
  inferences: a.inferences + b.inferences,
  failures: a.failures + b.failures,
  fallbacks: a.fallbacks + b.fallbacks,
  degraded: a.degraded + b.degraded,
  refused: a.refused + b.refused,
  cpuMs: a.cpuMs + b.cpuMs,
  latency: addHistograms(a.latency, b.latency),
  confidence: addHistograms(a.confidence, b.confidence),
});

/**
 * The value below which the share `q` (0 to 1) of a histogram lies, taken as evenly spread within its bin. The first
 * bin begins at 0; the last one is open, so that its lower edge stands for all in it.
 * @returns null for an empty histogram
 */
export function quantile({ edges, counts }: Histogram, q: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = Math.min(Math.max(q, 0), 1) * total;
  let below = 0;
  for (const [bin, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const low = bin === 0 ? 0 : edges[bin - 1]!;
      const high = edges[bin] ?? low;
      return low + ((high - low) * Math.max(rank - below, 0)) / count;
    }
    below += count;
  }
  return edges.at(-1)!;
}
