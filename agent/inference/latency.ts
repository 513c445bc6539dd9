import type { InferenceCounters } from "@muster/shared/protocol/messages";
import type { Histogram } from "@muster/shared/protocol/model-evidence";

/** Counters of nothing. @param edges upper bounds of the latency bins, milliseconds */
export const emptyCounters = (edges: readonly number[]): InferenceCounters => ({
  inferences: 0,
  failures: 0,
  latency: { edges: [...edges], counts: new Array<number>(edges.length + 1).fill(0) },
});

/** The sum of two counters over the same bins. */
export const addCounters = (a: InferenceCounters, b: InferenceCounters): InferenceCounters => ({
  inferences: a.inferences + b.inferences,
  failures: a.failures + b.failures,
  latency: {
    edges: a.latency.edges,
    counts: a.latency.counts.map((count, bin) => count + (b.latency.counts[bin] ?? 0)),
  },
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
