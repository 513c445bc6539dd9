import { MusterError } from "@muster/shared/errors";
import type { RolloutState } from "../storage/tables/rollouts.ts";
import type { RolloutEvent } from "./decide.ts";
import type { RolloutProgress } from "./model.ts";

export type OperatorAction = "pause" | "resume" | "abort" | "revert";

interface Rule {
  /** States in which the action takes effect, each with the state that it leads to. */
  from: Partial<Record<RolloutState, RolloutState>>;
  /** States in which there is nothing left to do: repeating an action is safe. */
  done: readonly RolloutState[];
}

const RULES: Readonly<Record<OperatorAction, Rule>> = {
  pause: { from: { running: "paused" }, done: ["paused"] },
  resume: { from: { paused: "running" }, done: ["running"] },
  abort: {
    from: { draft: "aborted", running: "aborting", paused: "aborting" },
    done: ["aborting", "aborted"],
  },
  revert: {
    from: {
      running: "reverting",
      paused: "reverting",
      completed: "reverting",
      aborting: "reverting",
      aborted: "reverting",
    },
    done: ["reverting", "reverted"],
  },
};

const SENTENCES: Readonly<Record<OperatorAction, string>> = {
  pause: "The operator paused the rollout",
  resume: "The operator resumed the rollout",
  abort: "The operator aborted the rollout",
  revert: "The operator sent every device back",
};

/**
 * A rollout after an operator's action, or undefined where it has taken effect already.
 * @throws MusterError `rollout.transition-invalid` that lists the states in which the action is possible
 */
export function transition(
  progress: RolloutProgress,
  action: OperatorAction,
  now: number,
  options: { reason?: string | undefined; acceptWave?: boolean | undefined; started: boolean },
): { progress: RolloutProgress; event: RolloutEvent } | undefined {
  const rule = RULES[action];
  if (rule.done.includes(progress.state)) return undefined;
  const state = rule.from[progress.state];
  if (action === "revert" && !options.started)
    throw new MusterError(
      "rollout.transition-invalid",
      "The rollout never started: there is nothing to send back.",
    );
  if (state === undefined)
    throw new MusterError(
      "rollout.transition-invalid",
      `A rollout that is ${progress.state} cannot do this: ${action} is possible while ${Object.keys(rule.from).join(", ")}.`,
    );
  const sentence = `${SENTENCES[action]}${options.reason ? `: ${options.reason}` : ""}.`;
  const next: RolloutProgress = { ...progress, state, reason: sentence, endedAt: null };
  if (action === "resume") {
    next.reason = null;
    next.waveOpenedAt = progress.wave === null ? null : now;
    next.waveAccepted = options.acceptWave ?? false;
  }
  if (state === "aborted") next.endedAt = now;
  return { progress: next, event: { kind: action, sentence, numbers: {} } };
}
