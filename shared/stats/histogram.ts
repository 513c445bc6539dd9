import type { Histogram } from "../protocol/model-evidence.ts";

/**
 * Fixed-bin histograms as devices send them: `counts[i]` values lie in `[edges[i-1], edges[i])`, with open bins at
 * both ends. Those with equal edges merge by adding their counts.
 */
type Counts = ArrayLike<number>;

/** A histogram of nothing over these bins. */
export const emptyHistogram = (edges: readonly number[]): Histogram => ({
  edges: [...edges],
  counts: new Array<number>(edges.length + 1).fill(0),
});

/** The bin of a value: the first whose upper edge is above it. */
export function binOf(edges: readonly number[], value: number): number {
  const bin = edges.findIndex((edge) => value < edge);
  return bin === -1 ? edges.length : bin;
}

/** Counts a value in its bin. */
export function countIn({ edges, counts }: Histogram, value: number): void {
  const bin = binOf(edges, value);
  counts[bin] = (counts[bin] ?? 0) + 1;
}

/** The sum of two histograms over the same bins. */
export const addHistograms = (a: Histogram, b: Histogram): Histogram => ({
  edges: a.edges,
  counts: merged(a.counts, b.counts),
});

export function total(counts: Counts): number {
  let sum = 0;
  for (let index = 0; index < counts.length; index += 1) sum += counts[index] ?? 0;
  return sum;
}

/** Sum of two histograms with equal edges; the second may be weighted. */
export function merged(a: Counts, b: Counts, weight = 1): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + weight * (b[i] ?? 0));
}

export interface Quantile {
  /** Interpolated along a straight line within its bin; no further from the true quantile than the bin is wide. */
  value: number;
  /** Edges between which the true quantile lies for certain. `upper` is infinite in the last bin. */
  lower: number;
  upper: number;
}

/**
 * Quantile of values that are at least 0, from their histogram; undefined where it is empty. In the open last bin
 * only the lower bound is known, which is then the value too.
 * @param share 0 to 1, e.g. 0.95
 */
export function quantile(edges: readonly number[], counts: Counts, share: number): Quantile | undefined {
  const all = total(counts);
  if (all <= 0) return undefined;
  const rank = share * all;
  let below = 0;
  let bin = 0;
  for (; bin < counts.length - 1; bin += 1) {
    const here = counts[bin] ?? 0;
    if (here > 0 && below + here >= rank) break;
    below += here;
  }
  const lower = bin === 0 ? 0 : (edges[bin - 1] ?? 0);
  const upper = edges[bin] ?? Number.POSITIVE_INFINITY;
  if (upper === Number.POSITIVE_INFINITY) return { value: lower, lower, upper };
  const within = Math.min(1, Math.max(0, (rank - below) / (counts[bin] ?? 1)));
  return { value: lower + within * (upper - lower), lower, upper };
}

/** Exact share of the values that are not below an edge; 1 for 0 and less. */
export function shareFrom(edges: readonly number[], counts: Counts, edge: number): number {
  const all = total(counts);
  let below = 0;
  for (let bin = 0; bin < edges.length && (edges[bin] ?? 0) <= edge; bin += 1) below += counts[bin] ?? 0;
  return all === 0 ? 0 : (all - below) / all;
}
