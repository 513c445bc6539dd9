import type { SessionTuning } from "../runner/control.ts";
import type { Conditions } from "./conditions.ts";
import type { GovernorState } from "./governor.ts";
import type { PowerRules } from "./rules.ts";

/** What the levels ask of the runners. */
export interface Actions {
  /** Threads of a session at most; null does not bind. */
  readonly threads: number | null;
  readonly heat: boolean;
  readonly power: boolean;
  /** As in `Conditions`. */
  readonly perSecond: number | null;
}

const [WARM, HOT, CRITICAL] = [1, 2, 3] as const;

/**
 * The order is the same for heat and power, each level keeps what the one below asked: from `warm` one thread and a
 * slower best effort, from `hot` the smaller variant too, at `critical` no best effort at all.
 */
export function actionsOf({ heat, draw }: GovernorState, rules: PowerRules): Actions {
  const step = rules.observeOnly ? 0 : Math.max(heat.step, draw.step);
  return {
    threads: step >= WARM ? 1 : null,
    heat: step >= HOT && heat.step >= HOT,
    power: step >= HOT && draw.step >= HOT,
    perSecond: step >= CRITICAL ? 0 : step >= WARM ? rules.bestEffortPerSecond : null,
  };
}

/** @param deferredUntil milliseconds since the epoch, null for no deferral */
export const conditionsOf = (
  { heat, power, perSecond }: Actions,
  deferredUntil: number | null,
): Conditions => ({
  heat,
  power,
  bestEffort: { perSecond, deferredUntil },
});

/** How sessions use the processor under the actions: what spins or has more threads than it may does so no more. */
export const limited = (session: SessionTuning, { threads }: Actions): SessionTuning =>
  threads === null || ((session.threads ?? 1) <= threads && session.spinning !== true)
    ? session
    : { threads: Math.min(session.threads ?? 1, threads), spinning: false };

/** What is done, in words for an event. */
export function actionWords({ threads, heat, power, perSecond }: Actions): string {
  const done = [
    ...(threads === null ? [] : ["one thread for each model"]),
    ...(perSecond === null || perSecond === 0 ? [] : [`at most ${perSecond} best-effort requests a second`]),
    ...(heat || power ? ["smaller variants where the release names some"] : []),
    ...(perSecond === 0 ? ["no best-effort requests"] : []),
  ];
  return done.length === 0 ? "nothing is restricted" : done.join(", ");
}
