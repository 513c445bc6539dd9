/** Measured time of a batch. */
export interface CurvePoint {
  readonly rows: number;
  /** Milliseconds for all of them. */
  readonly ms: number;
}

/** A larger batch must bring more than this share of rows a second to be worth its delay. */
const WORTH = 0.05;

/** Sizes to measure: the powers of two below the largest, and the largest. */
export function batchSizes(largest: number): number[] {
  const sizes: number[] = [];
  for (let rows = 1; rows < largest; rows *= 2) sizes.push(rows);
  return [...sizes, largest];
}

/**
 * The smallest measured batch whose rows a second come within 5 % of the best.
 * @param curve not empty
 */
export function bestBatch(curve: readonly CurvePoint[]): number {
  const speeds = curve.map(({ rows, ms }) => ({ rows, speed: rows / Math.max(ms, Number.EPSILON) }));
  const best = Math.max(...speeds.map(({ speed }) => speed));
  const worth = speeds.filter(({ speed }) => speed >= best * (1 - WORTH));
  return Math.min(...worth.map(({ rows }) => rows));
}

/**
 * Time of a batch of any size, milliseconds: between two measured sizes on the line through them, below the smallest
 * as that one, beyond the largest in proportion. 0 for an empty curve.
 * @param curve by ascending rows
 */
export function timeOn(curve: readonly CurvePoint[], rows: number): number {
  const upper = curve.findIndex((point) => point.rows >= rows);
  const last = curve.at(-1);
  if (!last) return 0;
  if (upper === -1) return (last.ms * rows) / last.rows;
  const high = curve[upper]!;
  const low = curve[upper - 1];
  if (!low) return high.ms;
  return low.ms + ((high.ms - low.ms) * (rows - low.rows)) / (high.rows - low.rows);
}
