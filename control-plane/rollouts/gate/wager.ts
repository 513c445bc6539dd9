import {
  type Bets,
  logMean,
  logStake,
  logStakeBound,
  NO_BETS,
  placeBet,
} from "@muster/shared/stats/rank-test";

/** One gambler's ranks so far. */
interface Bet extends Bets {
  /** Logarithm of the highest stake so far. */
  peak: number;
}

/**
 * A sequential test: one metric in one round. The stake is spread evenly over a bet on the ranks of all devices and
 * one on those of each hardware class, so a fault that shows on one class is not lost among the others.
 */
export interface Wager {
  all: Bet;
  /** By hardware class; which classes have a bet is settled before the first rank. */
  classes: Record<string, Bet>;
  /** Logarithm of the highest mean of the stakes so far: this is what must reach the limit. */
  peak: number;
  /** Controls of the newest block in which a device was ranked. */
  controls: number;
}

const NO_BET: Bet = { ...NO_BETS, peak: 0 };

export const beginWager = (classes: readonly string[]): Wager => ({
  all: NO_BET,
  classes: Object.fromEntries(classes.map((name) => [name, NO_BET])),
  peak: 0,
  controls: 0,
});

/** The wager after ranks of devices of one hardware class, in their order. */
export function placeRanks(
  wager: Wager,
  hardwareClass: string,
  ranks: Iterable<number>,
  controls: number,
): Wager {
  const { [hardwareClass]: own, ...others } = wager.classes;
  const idle = Object.values(others).map(logStake);
  const highestIdle = Math.max(0, ...idle);
  let { all, peak } = wager;
  let bet = own;
  for (const rank of ranks) {
    all = withRank(all, rank);
    if (bet) bet = withRank(bet, rank);
    const bound = Math.max(highestIdle, logStakeBound(all), bet ? logStakeBound(bet) : 0);
    if (bound <= peak) continue;
    const moved = bet ? [logStake(all), logStake(bet)] : [logStake(all)];
    peak = Math.max(peak, logMean([...moved, ...idle]));
  }
  return { all, classes: bet ? { ...others, [hardwareClass]: bet } : wager.classes, peak, controls };
}

function withRank(bet: Bet, rank: number): Bet {
  const { entries, sumLogRanks } = placeBet(bet, rank);
  const next = { entries, sumLogRanks, peak: bet.peak };
  if (logStakeBound(next) > bet.peak) next.peak = Math.max(bet.peak, logStake(next));
  return next;
}
