import type { Failure } from "@muster/shared/protocol/primitives";
import {
  type Attempt,
  type AttemptPhase,
  type JournalState,
  noProgress,
  type Order,
  type ProbationProgress,
  sameRelease,
} from "./journal-state.ts";
import {
  begin,
  enter,
  failureOf,
  followedBy,
  giveUp,
  isBeforeActivation,
  record,
  type Step,
  settle,
  supersededBy,
} from "./steps.ts";

/** What the engine does next; it follows from the journal alone. */
export type Effect = "keep" | "resolve" | "fetch" | "stage" | "admit" | "activate" | "watch" | "restore";

/** `retry` waits and tries again, `refetch` goes back to the download, `final` gives up. */
export type FailureKind = "retry" | "refetch" | "final";

export type JournalEvent =
  /** A newer directive was accepted. `healthy`: the active release is proven to run, and nothing of it had to fall back. */
  | { type: "ordered"; order: Order; healthy: boolean }
  /** The agent started. */
  | { type: "started" }
  | { type: "resolved" | "fetched" | "staged" | "admitted" | "switched" | "served" | "passed" | "restored" }
  /** Progress on probation; `stableMs` is the time since the agent started. */
  | { type: "sampled"; progress: ProbationProgress; stableMs: number }
  | { type: "failed"; kind: FailureKind; failure: Failure };

export interface MachineContext {
  /** Milliseconds since the epoch. */
  now: number;
  limits: { maxRestarts: number; maxTries: number; stableMs: number };
}

const EFFECTS: Record<AttemptPhase, Effect> = {
  accepted: "resolve",
  fetching: "fetch",
  fetched: "stage",
  staged: "admit",
  activating: "activate",
  probation: "watch",
  "rolling-back": "restore",
};

export const effectOf = (state: JournalState): Effect =>
  state.attempt ? EFFECTS[state.attempt.phase] : "keep";

/** The newer directive names the release that is being installed: the work goes on under its number. */
function adopt(state: JournalState, attempt: Attempt, order: Order, now: number): Step {
  const ended = settle(
    state,
    attempt.order,
    { phase: attempt.phase, outcome: "superseded", failure: supersededBy(order) },
    now,
  );
  return followedBy(ended, (next) => ({
    state: { ...next, attempt: { ...attempt, order } },
    records: [record(order, attempt.phase)],
  }));
}

function ordered(state: JournalState, order: Order, healthy: boolean, now: number): Step {
  const { attempt } = state;
  if (!attempt) return begin(state, order, healthy, now);
  const failure = supersededBy(order);
  if (attempt.phase === "rolling-back") {
    if (attempt.stuck) return begin({ ...state, attempt: null }, order, false, now);
    const dropped = attempt.next ? [record(attempt.next, "accepted", "superseded", failure)] : [];
    return { state: { ...state, attempt: { ...attempt, next: order } }, records: dropped };
  }
  if (sameRelease(attempt.order.release, order.release)) return adopt(state, attempt, order, now);
  if (isBeforeActivation(attempt.phase))
    return followedBy(
      settle(state, attempt.order, { phase: attempt.phase, outcome: "superseded", failure }, now),
      (next) => begin(next, order, healthy, now),
    );
  if (sameRelease(state.active, state.committed) && !sameRelease(state.active, attempt.order.release))
    return followedBy(
      settle(state, attempt.order, { phase: attempt.phase, outcome: "superseded", failure }, now),
      (next) => begin(next, order, false, now),
    );
  return giveUp(state, { ...attempt, next: order }, failure, now);
}

const expired = (reason?: Failure): Failure =>
  failureOf(
    "directive.expired",
    `The directive ended before the release could be activated${reason ? `; it waited because: ${reason.message}` : ""}`,
  );

/** The prepared candidate died with the agent: it is staged again, while the old release serves. */
function started(state: JournalState, attempt: Attempt, { now, limits }: MachineContext): Step {
  const { phase } = attempt;
  if (isBeforeActivation(phase) && attempt.order.notAfter <= now)
    return giveUp(state, attempt, expired(attempt.failure ?? undefined), now);
  if (phase === "accepted" || phase === "fetching") return { state, records: [] };
  const restarts = attempt.restarts + 1;
  const again = { ...attempt, restarts };
  const tooOften = restarts > limits.maxRestarts;
  const exhausted = failureOf(
    "update.attempts-exhausted",
    `The agent started ${restarts} times while the update was ${phase}.`,
  );
  if (phase === "rolling-back")
    return tooOften && !attempt.stuck
      ? stick(state, again, exhausted, now)
      : { state: { ...state, attempt: again }, records: [] };
  if (tooOften) return giveUp(state, again, exhausted, now);
  const unswitched = phase === "activating" && !sameRelease(state.active, attempt.order.release);
  const lost = phase === "staged" || (unswitched && attempt.order.release !== null);
  const resumed = lost ? { ...again, phase: "fetched" as const } : again;
  return { state: { ...state, attempt: resumed }, records: [] };
}

/** Reports, once, that neither release runs; the engine goes on trying. */
function stick(state: JournalState, attempt: Attempt, cause: Failure, now: number): Step {
  const reason = attempt.failure ? `${attempt.failure.message} ` : "";
  const failure = failureOf(
    "update.stuck",
    `${reason}The previous release could not be restored: ${cause.message}`,
  );
  const ended = settle(
    state,
    attempt.order,
    { phase: "rolling-back", outcome: "failed-stuck", failure },
    now,
  );
  if (attempt.next) return followedBy(ended, (next) => begin(next, attempt.next!, false, now));
  return { ...ended, state: { ...ended.state, attempt: { ...attempt, stuck: true } } };
}

function restored(state: JournalState, attempt: Attempt, now: number): Step {
  const failure = attempt.failure ?? failureOf("internal.unexpected", "The reason was not recorded.");
  const outcome = failure.code === "update.superseded" ? "superseded" : "failed-rolled-back";
  const ended = settle(state, attempt.order, { phase: "rolled-back", outcome, failure }, now);
  return attempt.next ? followedBy(ended, (next) => begin(next, attempt.next!, true, now)) : ended;
}

function committed(state: JournalState, attempt: Attempt, now: number): Step {
  const { release } = attempt.order;
  const previous = sameRelease(state.committed, release) ? state.previous : state.committed;
  return settle(
    { ...state, committed: release, active: release, previous },
    attempt.order,
    { phase: "committed", outcome: "succeeded" },
    now,
  );
}

function failed(
  state: JournalState,
  attempt: Attempt,
  event: { kind: FailureKind; failure: Failure },
  { now, limits }: MachineContext,
): Step {
  const { failure, kind } = event;
  if (attempt.phase === "rolling-back")
    return attempt.stuck ? { state, records: [] } : stick(state, attempt, failure, now);
  if (!isBeforeActivation(attempt.phase)) return giveUp(state, attempt, failure, now);
  if (attempt.order.notAfter <= now) return giveUp(state, attempt, expired(failure), now);
  const tries = attempt.tries + 1;
  if (kind === "final" || (kind === "refetch" && tries > limits.maxTries))
    return giveUp(state, attempt, failure, now);
  if (kind === "refetch") return enter(state, { ...attempt, tries }, "fetching", now);
  if (attempt.failure?.code === failure.code) return { state, records: [] };
  return {
    state: { ...state, attempt: { ...attempt, failure } },
    records: [record(attempt.order, attempt.phase, undefined, failure)],
  };
}

function advance(state: JournalState, attempt: Attempt, event: JournalEvent, context: MachineContext): Step {
  const { now } = context;
  const { phase, order } = attempt;
  const at = `${phase} ${event.type}`;
  switch (at) {
    case "accepted resolved":
      return enter(state, attempt, "fetching", now);
    case "fetching fetched":
      return enter(state, attempt, "fetched", now);
    case "fetched staged":
      return enter(state, attempt, "staged", now);
    case "staged admitted":
      return order.notAfter <= now
        ? giveUp(state, attempt, expired(), now)
        : enter(state, attempt, "activating", now);
    case "activating switched":
      return { state: { ...state, active: order.release }, records: [] };
    case "activating served":
      if (!sameRelease(state.active, order.release)) return { state, records: [] };
      return order.release
        ? enter(state, { ...attempt, progress: noProgress }, "probation", now)
        : committed(state, attempt, now);
    case "probation passed":
      return committed(state, attempt, now);
    case "rolling-back restored":
      return restored(state, attempt, now);
    default:
      return { state, records: [] };
  }
}

function sampled(
  state: JournalState,
  attempt: Attempt,
  event: { progress: ProbationProgress; stableMs: number },
  { limits }: MachineContext,
): Step {
  if (attempt.phase !== "probation") return { state, records: [] };
  const restarts = event.stableMs >= limits.stableMs ? 0 : attempt.restarts;
  return { state: { ...state, attempt: { ...attempt, progress: event.progress, restarts } }, records: [] };
}

/**
 * The update journal as a pure function. An event that does not belong to the phase changes nothing, so that
 * every message may come twice or late.
 */
export function transition(state: JournalState, event: JournalEvent, context: MachineContext): Step {
  if (event.type === "ordered") return ordered(state, event.order, event.healthy, context.now);
  const { attempt } = state;
  if (!attempt) return { state, records: [] };
  if (event.type === "started") return started(state, attempt, context);
  if (event.type === "failed") return failed(state, attempt, event, context);
  if (event.type === "sampled") return sampled(state, attempt, event, context);
  return advance(state, attempt, event, context);
}
