import type { Rollout } from "../model.ts";
import { keepDeadline } from "./deadline.ts";
import { takeInEvidence } from "./evidence-step.ts";
import { passGate, watchStragglers } from "./gate.ts";
import { heedQuarantine } from "./quarantine.ts";
import { Step } from "./step.ts";
import { tell } from "./tell.ts";
import { callOff, revertAll } from "./turn-back.ts";
import type { Decision, DecisionLimits, Facts } from "./types.ts";

/**
 * The next step of a rollout: a pure function of what is stored, what is known of the world, and the time. All
 * evidence is taken in before anything is judged, errors are judged before success, and a paused rollout goes on
 * to do both, so that a gate that is violated then still turns it back. After its end a completed rollout tells
 * its stragglers; of the others only late evidence of single devices is taken in.
 */
export function decide(rollout: Rollout, facts: Facts, now: number, limits: DecisionLimits): Decision {
  const step = new Step(rollout, facts, now, limits);
  if (rollout.startedAt === null) return step.decision();
  takeInEvidence(step);
  if (!step.appraised) return step.decision();
  keepDeadline(step);
  if (step.state === "running" || step.state === "paused") passGate(step);
  else if (step.state === "completed") watchStragglers(step);
  if (step.state === "running" || step.state === "completed") {
    if (!heedQuarantine(step)) return step.decision();
    tell(step);
  }
  if (step.state === "reverting") revertAll(step);
  if (step.state === "aborting") callOff(step);
  return step.decision();
}

/** True when a decision has nothing to store. */
export const changesNothing = (
  rollout: Rollout,
  { progress, changed, quarantine, events }: Decision,
): boolean =>
  changed.length === 0 &&
  quarantine.length === 0 &&
  events.length === 0 &&
  progress.state === rollout.state &&
  progress.wave === rollout.wave &&
  progress.gateHeldSince === rollout.gateHeldSince &&
  progress.wagers === rollout.wagers;
