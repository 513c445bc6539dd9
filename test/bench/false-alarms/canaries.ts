import { completeGate } from "@muster/control-plane/rollouts/gate/plan";
import { beginWager, placeRanks } from "@muster/control-plane/rollouts/gate/wager";
import { stakeLimit } from "@muster/control-plane/rollouts/gate/wagers";
import { smoothedRank } from "@muster/shared/stats/rank-test";
import { Random } from "./random.ts";

export interface Canaries {
  /** Updated devices of each hardware class, and those that are not updated yet. */
  each: number;
  controls: number;
  classes: number;
}

/**
 * How often the default plan stops a release that makes every canary of one class worse than all others of that
 * class, and nothing else worse: no fault could be grosser, so with so few canaries no more can be found by rank.
 * @returns percent
 */
export function grossFaultsFound({ each, controls, classes }: Canaries, runs: number): number {
  const limit = Math.log(stakeLimit(completeGate()));
  const names = Array.from({ length: classes }, (_, index) => `class-${index}`);
  let found = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const random = new Random(seed);
    let wager = beginWager(names);
    for (let canary = 0; canary < each; canary += 1)
      for (const name of names) {
        const before = controls + canary;
        // Worse than all controls; among the canaries before it, anywhere.
        const places = name === names[0] ? canary + 1 : before + 1;
        const higher = Math.floor(random.uniform() * places);
        wager = placeRanks(wager, name, [smoothedRank(higher, 0, before, 1 - random.uniform())], controls);
      }
    if (wager.peak >= limit) found += 1;
  }
  return (100 * found) / runs;
}
