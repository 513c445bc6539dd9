import type { ErrorCode } from "@muster/shared/errors";
import type { UpdateBody } from "@muster/shared/protocol/messages";
import type { Failure } from "@muster/shared/protocol/primitives";
import type { UpdateOutcome, UpdatePhase } from "@muster/shared/protocol/state";
import {
  type Attempt,
  type AttemptPhase,
  type JournalState,
  noProgress,
  type Order,
  sameRelease,
} from "./journal-state.ts";

export interface Step {
  state: JournalState;
  /** What the control plane is told about it. */
  records: UpdateBody[];
}

/** Failures that say that this release is not for this device, whatever phase finds it. */
const REJECTING: ReadonlySet<string> = new Set<ErrorCode>([
  "release.no-variant",
  "release.manifest-invalid",
  "release.quarantined",
  "config.invalid",
]);

export const isBeforeActivation = (phase: AttemptPhase): boolean =>
  phase === "accepted" || phase === "fetching" || phase === "fetched" || phase === "staged";

/** Longest message of a failure, characters: a journal with a longer one could not be read again. */
const MAX_MESSAGE = 1000;

export const failureOf = (code: ErrorCode, message: string): Failure => ({
  code,
  message: message.slice(0, MAX_MESSAGE),
});

export const record = (
  order: Order,
  phase: UpdatePhase,
  outcome?: UpdateOutcome,
  failure?: Failure,
): UpdateBody => ({
  generation: order.generation,
  rollout: order.rollout,
  release: order.release,
  phase,
  ...(outcome && { outcome }),
  ...(failure && { failure }),
});

/** The state in which `order` has ended, with the last result, and without an attempt. */
export function settle(
  state: JournalState,
  order: Order,
  end: { phase: UpdatePhase; outcome: UpdateOutcome; failure?: Failure },
  now: number,
): Step {
  const { phase, outcome, failure } = end;
  const lastResult = {
    generation: order.generation,
    release: order.release,
    outcome,
    ...(failure && { failure }),
    at: now,
  };
  return {
    state: { ...state, attempt: null, lastResult },
    records: [record(order, phase, outcome, failure)],
  };
}

export const followedBy = (first: Step, next: (state: JournalState) => Step): Step => {
  const second = next(first.state);
  return { state: second.state, records: [...first.records, ...second.records] };
};

/** Takes up an order when no attempt is under way. */
export function begin(state: JournalState, order: Order, healthy: boolean, now: number): Step {
  const isThere = sameRelease(order.release, state.active) && sameRelease(order.release, state.committed);
  if (isThere && healthy) return settle(state, order, { phase: "committed", outcome: "succeeded" }, now);
  const attempt: Attempt = {
    order,
    phase: "accepted",
    since: now,
    restarts: 0,
    tries: 0,
    progress: noProgress,
    failure: null,
    stuck: false,
    next: null,
  };
  const accepted: Step = { state: { ...state, attempt }, records: [record(order, "accepted")] };
  return order.release ? accepted : followedBy(accepted, (next) => enter(next, attempt, "activating", now));
}

export function enter(state: JournalState, attempt: Attempt, phase: AttemptPhase, now: number): Step {
  return {
    state: { ...state, attempt: { ...attempt, phase, since: now, failure: null } },
    records: [record(attempt.order, phase)],
  };
}

/** Ends an attempt that has changed nothing, or starts to undo one that has. */
export function giveUp(state: JournalState, attempt: Attempt, failure: Failure, now: number): Step {
  const { order, phase } = attempt;
  const touched =
    phase === "probation" || (phase === "activating" && sameRelease(state.active, order.release));
  if (!touched) {
    const unsuited = phase === "accepted" || REJECTING.has(failure.code);
    const outcome = unsuited && failure.code !== "directive.expired" ? "rejected" : "failed-unchanged";
    const ended = settle(state, order, { phase, outcome, failure }, now);
    return attempt.next ? followedBy(ended, (next) => begin(next, attempt.next!, false, now)) : ended;
  }
  return {
    state: {
      ...state,
      active: state.committed,
      attempt: { ...attempt, phase: "rolling-back", since: now, restarts: 0, failure },
    },
    records: [record(order, "rolling-back", undefined, failure)],
  };
}

export const supersededBy = (order: Order): Failure =>
  failureOf("update.superseded", `Directive ${order.generation} took the place of this one.`);
