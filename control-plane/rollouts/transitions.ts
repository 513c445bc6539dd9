import { MusterError } from "@muster/shared/errors";
import type { RolloutState } from "../storage/tables/rollouts.ts";
import type { RolloutEvent } from "./decide/types.ts";
import type { Actor, RolloutProgress } from "./model.ts";
import { closed } from "./words.ts";

export type OperatorAction = "pause" | "resume" | "skip-wave" | "abort" | "revert";

interface Rule {
  /** States in which the action takes effect, each with the state that it leads to. */
  from: Partial<Record<RolloutState, RolloutState>>;
  /** States in which there is nothing left to do: repeating an action is safe. */
  done: readonly RolloutState[];
}

const RULES: Readonly<Record<OperatorAction, Rule>> = {
  pause: { from: { running: "paused" }, done: ["paused"] },
  resume: { from: { paused: "running" }, done: ["running"] },
  "skip-wave": { from: { running: "running", paused: "running" }, done: ["completed"] },
  abort: {
    from: {
      draft: "aborted",
      "awaiting-approval": "aborted",
      scheduled: "aborted",
      running: "aborting",
      paused: "aborting",
    },
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

const DEEDS: Readonly<Record<OperatorAction, string>> = {
  pause: "paused the rollout",
  resume: "resumed the rollout",
  "skip-wave": "skipped wave",
  abort: "aborted the rollout",
  revert: "sent every device back",
};

export interface ActionOptions {
  actor: Actor;
  reason?: string | undefined;
  /** For `skip-wave`: number of the wave, counted from 1. */
  wave?: number | undefined;
  /** Whether the rollout ever started. */
  started: boolean;
}

/**
 * A rollout after an operator's action, or undefined where it has taken effect already.
 * @throws MusterError `rollout.transition-invalid` that lists the states in which the action is possible
 */
export function transition(
  progress: RolloutProgress,
  action: OperatorAction,
  now: number,
  { actor, reason, wave, started }: ActionOptions,
): { progress: RolloutProgress; event: RolloutEvent } | undefined {
  const rule = RULES[action];
  if (rule.done.includes(progress.state)) return undefined;
  const state = rule.from[progress.state];
  if (action === "revert" && !started)
    throw new MusterError(
      "rollout.transition-invalid",
      "The rollout never started: there is nothing to send back.",
    );
  if (state === undefined)
    throw new MusterError(
      "rollout.transition-invalid",
      `A rollout that is ${progress.state} cannot do this: ${action} is possible while ${Object.keys(rule.from).join(", ")}.`,
    );
  const named = action === "skip-wave" ? ` ${wave}` : "";
  const sentence = closed(`${actor.name} ${DEEDS[action]}${named}${reason ? `: ${reason}` : ""}`);
  const next: RolloutProgress = { ...progress, state, reason: sentence, endedAt: null };
  if (action === "skip-wave" || action === "resume") next.reason = null;
  if (action === "resume") {
    // Everything that is waited for has its time again: offline devices, the soak, and missing measurements.
    next.waveClockAt = progress.wave === null ? null : now;
    next.gateHeldSince = null;
  }
  if (action === "skip-wave") {
    const open = requireOpen(progress.wave, wave);
    if (open === undefined || (progress.skipWave === open && progress.state === "running")) return undefined;
    next.skipWave = open;
  }
  if (state === "aborted") next.endedAt = now;
  return { progress: next, event: { kind: action, sentence, numbers: wave === undefined ? {} : { wave } } };
}

/** The wave from 0 that is to be skipped; undefined for one that is over already. */
function requireOpen(open: number | null, wave = 0): number | undefined {
  const asked = wave - 1;
  if (open !== null && asked < open) return undefined;
  if (asked === (open ?? 0)) return asked;
  throw new MusterError(
    "rollout.transition-invalid",
    `Wave ${wave} is not open yet: wave ${(open ?? 0) + 1} is, and only that one can be skipped.`,
  );
}
