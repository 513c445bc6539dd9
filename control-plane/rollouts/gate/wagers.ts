import { NO_BETS } from "@muster/shared/stats/rank-test";
import { newestClosed, roundsOf } from "../exposure/blocks.ts";
import type { Exposures } from "../exposure/exposures.ts";
import type { GatePlan } from "./plan.ts";
import { type ComparedRule, rankBlock, type Wager } from "./rank-block.ts";

/** All sequential tests of the open wave; plain JSON of a size that does not grow with the fleet. */
export interface Wagers {
  /** Counted from 0. */
  wave: number;
  openedAt: number;
  rounds: {
    /** Newest block in which devices were ranked; -1 before the first. */
    judged: number;
    /** In the order of `comparedRules`. */
    tests: Wager[];
  }[];
}

export interface WagerInput {
  plan: GatePlan;
  /** Of the rollout; ties and the order of devices are drawn from it. */
  seed: number;
  /** Open wave, counted from 0. */
  wave: number;
  openedAt: number;
  exposures: Exposures;
  now: number;
}

/** Rules that compare with devices not updated yet. */
export const comparedRules = (plan: GatePlan): ComparedRule[] =>
  plan.metrics.filter((rule): rule is ComparedRule => rule.tolerance !== undefined);

/** Stake at which a comparison is violated: the false-alarm rate is shared out evenly over metrics and rounds. */
export const stakeLimit = (plan: GatePlan): number =>
  (comparedRules(plan).length * roundsOf(plan).length * 100) / plan.falseAlarmPercent;

/**
 * Ranks the updated devices whose first block has closed since the last call, each once in each round, and moves
 * the stakes. Gives the same object where nothing was to do; begins anew with each wave.
 */
export function placeWagers(wagers: Wagers | null, input: WagerInput): Wagers {
  const { plan, seed, wave, openedAt, now } = input;
  const rounds = roundsOf(plan);
  const rules = comparedRules(plan);
  const current =
    wagers?.wave === wave && wagers.openedAt === openedAt
      ? wagers
      : begin(wave, openedAt, rounds.length, rules);
  if (rules.length === 0) return current;
  let changed = current !== wagers;
  const next = current.rounds.map((round, number) => {
    const block = newestClosed(now, openedAt, rounds[number] ?? 1);
    if (!input.exposures.hasNewcomers(number, round.judged, block)) return round;
    changed = true;
    const samples = input.exposures.block(number, block);
    const ranking = { samples, judged: round.judged, seed, label: `${wave}/${number}` };
    return { judged: block, tests: rankBlock(round.tests, rules, ranking) };
  });
  return changed ? { ...current, rounds: next } : current;
}

const begin = (wave: number, openedAt: number, rounds: number, rules: readonly unknown[]): Wagers => ({
  wave,
  openedAt,
  rounds: Array.from({ length: rounds }, () => ({
    judged: -1,
    tests: rules.map(() => ({ ...NO_BETS, peak: 0, controls: 0 })),
  })),
});
