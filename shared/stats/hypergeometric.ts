import { logGamma } from "./gamma.ts";

const logChoose = (n: number, k: number): number => logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);

export interface Draw {
  /** All devices, and those of them that failed. */
  population: number;
  failures: number;
  /** Devices looked at, and those of them that failed. */
  drawn: number;
  hits: number;
}

/**
 * Chance that `hits` or more of `drawn` devices failed if the failures lay among the population by chance: the
 * upper tail of the hypergeometric distribution, which is the one-sided exact test of a 2 x 2 table.
 * Summed in logarithms, so it does not overflow for whole fleets.
 * Source: R. A. Fisher, "On the interpretation of chi-square from contingency tables, and the calculation of P",
 * J. R. Stat. Soc. 85 (1922).
 */
export function hypergeometricTail({ population, failures, drawn, hits }: Draw): number {
  const most = Math.min(failures, drawn);
  const least = Math.max(0, drawn + failures - population);
  if (hits <= least) return 1;
  const all = logChoose(population, drawn);
  let tail = 0;
  for (let k = hits; k <= most; k += 1)
    tail += Math.exp(logChoose(failures, k) + logChoose(population - failures, drawn - k) - all);
  return Math.min(1, tail);
}
