import { incompleteGamma } from "./gamma.ts";

/** Chance that a chi-square variable with `df` degrees of freedom exceeds `x`. */
export const chiSquareTail = (x: number, df: number): number => incompleteGamma(df / 2, x / 2).upper;

/**
 * The `x` that a chi-square variable with `df` degrees of freedom exceeds with chance `tail` (0 to 1, exclusive),
 * to about 12 digits. Bisection: the tail falls steadily in `x`.
 * Reference values: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4.
 */
export function chiSquareQuantile(tail: number, df: number): number {
  let low = 0;
  let high = df + 10;
  while (chiSquareTail(high, df) > tail) high *= 2;
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (chiSquareTail(middle, df) > tail) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
