import { MusterError } from "@muster/shared/errors";
import { spreadOrder } from "./order.ts";
import type { RolloutPlan } from "./plan.ts";
import { matches, parseSelector, type SelectorSubject } from "./selector.ts";
import { counted } from "./words.ts";

export interface WaveMember<T> {
  target: T;
  /** Counted from 0. */
  wave: number;
  /** Place in the order of the whole rollout, counted from 0. */
  position: number;
}

/**
 * Shares the targets out among the waves of a plan, in an order spread over sites. Waves that add nobody are
 * left out; what no wave takes forms a last one.
 * @throws MusterError `rollout.plan-invalid` for a wave before the last that is too small for its gate
 */
export function shareOut<T extends SelectorSubject>(
  targets: readonly T[],
  plan: Pick<RolloutPlan, "waves" | "gate">,
  seed: number,
): WaveMember<T>[] {
  let rest = spreadOrder(
    targets.map((target) => ({ device: target.id, site: target.site, target })),
    seed,
  ).map(({ target }) => target);
  let taken = 0;
  const waves: T[][] = [];
  const take = (chosen: T[]) => {
    if (chosen.length === 0) return;
    waves.push(chosen);
    taken += chosen.length;
    const gone = new Set(chosen);
    rest = rest.filter((target) => !gone.has(target));
  };
  for (const wave of plan.waves) {
    if ("selector" in wave) {
      const selector = parseSelector(wave.selector);
      take(rest.filter((target) => matches(selector, target)));
    } else {
      const upTo = "count" in wave ? wave.count : shareOf(targets.length, wave.percent);
      take(rest.slice(0, Math.max(0, upTo - taken)));
    }
  }
  take(rest);
  requireEvidence(waves, plan.gate.success.minDevices);
  let position = 0;
  return waves.flatMap((members, wave) => members.map((target) => ({ target, wave, position: position++ })));
}

/** Rounded up, but not by what binary fractions add: 8.8 % of 375 are 33, where 375 * 8.8 is above 3300. */
const shareOf = (count: number, percent: number): number =>
  Math.ceil(Number(((count * percent) / 100).toFixed(6)));

function requireEvidence(waves: readonly unknown[][], minDevices: number): void {
  for (const [index, members] of waves.slice(0, -1).entries())
    if (members.length < minDevices)
      throw new MusterError(
        "rollout.plan-invalid",
        `Wave ${index + 1} has ${counted(members.length, "device")} and its gate asks for ${minDevices} with a known end: enlarge the wave or lower gate.success.minDevices.`,
      );
}
