import { newestClosed, roundsOf } from "../exposure/blocks.ts";
import type { Exposures } from "../exposure/exposures.ts";
import type { GatePlan } from "./plan.ts";
import { type ComparedRule, LEAST_CONTROLS, rankBlock } from "./rank-block.ts";
import { beginWager, type Wager } from "./wager.ts";

/** All sequential tests of the open wave; plain JSON of a size that grows with the hardware classes only. */
export interface Wagers {
  /** Counted from 0. */
  wave: number;
  openedAt: number;
  rounds: {
    /** Newest block in which devices were ranked; -1 before the first. */
    judged: number;
    /** In the order of `comparedRules`; none before the first block. */
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
      : { wave, openedAt, rounds: rounds.map(() => ({ judged: -1, tests: [] })) };
  if (rules.length === 0) return current;
  let changed = current !== wagers;
  const next = current.rounds.map((round, number) => {
    const block = newestClosed(now, openedAt, rounds[number] ?? 1);
    if (!input.exposures.hasNewcomers(number, round.judged, block)) return round;
    changed = true;
    const tests = round.judged >= 0 ? round.tests : beginTests(rules, input.exposures);
    const samples = input.exposures.block(number, block);
    const ranking = { samples, judged: round.judged, seed, label: `${wave}/${number}` };
    return { judged: block, tests: rankBlock(tests, rules, ranking) };
  });
  return changed ? { ...current, rounds: next } : current;
}

/** Who is in the wave is known before the first rank is: no rank has a say in how the stake is spread. */
function beginTests(rules: readonly unknown[], exposures: Exposures): Wager[] {
  const classes = exposures.classes(LEAST_CONTROLS);
  return rules.map(() => beginWager(classes));
}
