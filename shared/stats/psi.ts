import { chiSquareQuantile } from "./chi-square.ts";
import { total } from "./histogram.ts";

/** Keeps an empty bin from making the index infinite (Jeffreys' prior for a multinomial). */
const PSEUDO_COUNT = 0.5;

/**
 * Population stability index of two histograms with equal edges: sum over the bins of (p - q) ln(p / q). 0 for
 * equal shares. Bins that are empty in both are left out.
 * Source: S. Kullback and R. A. Leibler, "On information and sufficiency", Ann. Math. Stat. 22 (1951), the
 * symmetric divergence J.
 */
export function psi(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const bins = usedBins(a, b);
  const allA = total(a) + PSEUDO_COUNT * bins;
  const allB = total(b) + PSEUDO_COUNT * bins;
  let sum = 0;
  for (let bin = 0; bin < a.length; bin += 1) {
    const inA = a[bin] ?? 0;
    const inB = b[bin] ?? 0;
    if (inA === 0 && inB === 0) continue;
    const p = (inA + PSEUDO_COUNT) / allA;
    const q = (inB + PSEUDO_COUNT) / allB;
    sum += (p - q) * Math.log(p / q);
  }
  return sum;
}

const usedBins = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let bins = 0;
  for (let bin = 0; bin < a.length; bin += 1) if ((a[bin] ?? 0) > 0 || (b[bin] ?? 0) > 0) bins += 1;
  return bins;
};

/**
 * What the index exceeds with chance `alpha` though both histograms come from one distribution and their values
 * are independent: (1/n + 1/m) times the chi-square quantile with one degree of freedom less than bins. A fixed
 * band such as 0.1 has no such chance: at 100 values in 20 bins nine of ten comparisons of the same thing exceed it.
 * Source: B. Yurdakul and J. Naranjo, "Statistical properties of the population stability index", J. Risk Model
 * Validation 14 (2020).
 */
export function psiThreshold(a: ArrayLike<number>, b: ArrayLike<number>, alpha: number): number {
  const n = total(a);
  const m = total(b);
  const bins = usedBins(a, b);
  if (n === 0 || m === 0 || bins < 2) return Number.POSITIVE_INFINITY;
  return (1 / n + 1 / m) * chiSquareQuantile(alpha, bins - 1);
}
