import { incompleteGamma, kummerSeries, logGamma } from "./gamma.ts";

/**
 * Sequential rank test: a conformal test martingale. Each newcomer is ranked among the values before it. As long
 * as newcomers and values before them are exchangeable, the smoothed ranks are independent and uniform, and the
 * stake of a gambler who bets that they are small is a martingale. By Ville's inequality it ever reaches 1/alpha
 * with chance alpha at most, however often one looks and whenever one stops.
 *
 * Sources: V. Vovk, I. Nouretdinov and A. Gammerman, "Testing exchangeability on-line", ICML 2003; G. Shafer and
 * V. Vovk, "Game-Theoretic Foundations for Probability and Finance", Wiley 2019; J. Ville, "Etude critique de la
 * notion de collectif", Gauthier-Villars 1939.
 */

/** All that the stake depends on. */
export interface Bets {
  /** Newcomers ranked so far. */
  entries: number;
  /** Sum of the logarithms of their smoothed ranks; 0 or less. */
  sumLogRanks: number;
}

export const NO_BETS: Bets = { entries: 0, sumLogRanks: 0 };

/**
 * Share of the values that are higher than the newcomer's, ties (its own among them) counted in part: uniform on
 * (0, 1] under exchangeability, small for a newcomer that is higher than most.
 * @param higher values before it that are higher; @param equal those that equal it
 * @param before how many values were there before it
 * @param random uniform on (0, 1]
 */
export const smoothedRank = (higher: number, equal: number, before: number, random: number): number =>
  (higher + random * (equal + 1)) / (before + 1);

export const placeBet = ({ entries, sumLogRanks }: Bets, rank: number): Bets => ({
  entries: entries + 1,
  sumLogRanks: sumLogRanks + Math.log(rank),
});

/**
 * Logarithm of the stake, which begins at 1. The gambler spreads it evenly over all epsilon in (0, 1) and bets
 * `epsilon * rank^(epsilon - 1)` with each part, so the stake is the integral over epsilon of the products: with n
 * entries and s = -sum of the log ranks, `e^s * gamma(n+1, s) / s^(n+1)`, lower incomplete.
 * Source: Vovk, Nouretdinov and Gammerman (2003), "simple mixture".
 */
export function logStake({ entries, sumLogRanks }: Bets): number {
  const s = -sumLogRanks;
  if (s < entries + 2) return Math.log(kummerSeries(entries + 1, Math.max(0, s))) - Math.log(entries + 1);
  const { lower } = incompleteGamma(entries + 1, s);
  return s + logGamma(entries + 1) + Math.log(lower) - (entries + 1) * Math.log(s);
}

/**
 * At least `logStake`, and cheap: the highest of what the gambler's parts hold. With it most of the stakes that set
 * no new height need not be computed.
 */
export function logStakeBound({ entries, sumLogRanks }: Bets): number {
  const s = -sumLogRanks;
  return s <= entries ? 0 : s - entries + (entries === 0 ? 0 : entries * Math.log(entries / s));
}

/**
 * Logarithm of the mean of stakes. A gambler who spreads the money evenly over several games once, at the start,
 * holds the mean of their stakes: where each is a martingale of the same sequence, so is that.
 * @param logs logarithms of the stakes, at least one
 */
export function logMean(logs: readonly number[]): number {
  const highest = Math.max(...logs);
  return highest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - highest), 0) / logs.length);
}

/** P value that stays valid under optional stopping: one over the highest stake so far, 1 at most. */
export const anytimePValue = (highestLogStake: number): number => Math.min(1, Math.exp(-highestLogStake));
