import { Count, Failure, Id, Millis, Nullable, ReleaseRef } from "@muster/shared/protocol/primitives";
import { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import { UpdateResult } from "@muster/shared/protocol/state";
import { type Static, Type } from "typebox";

/** What an accepted directive asks for. `release: null` asks to run nothing. */
const Order = Type.Object({
  generation: Count,
  rollout: Nullable(Id),
  release: Nullable(ReleaseRef),
  /** The update must be activated by then, milliseconds since the epoch. */
  notAfter: Millis,
  /** How it has to run beside what is live before it may serve; null for not at all. */
  shadow: Nullable(ShadowRule),
});
export type Order = Static<typeof Order>;

/** Phases in which an attempt may be found after a restart; the other two of the protocol end it. */
const AttemptPhase = Type.Union([
  Type.Literal("accepted"),
  Type.Literal("fetching"),
  Type.Literal("fetched"),
  Type.Literal("staged"),
  Type.Literal("activating"),
  Type.Literal("probation"),
  Type.Literal("rolling-back"),
]);
export type AttemptPhase = Static<typeof AttemptPhase>;

/** What was seen on probation before the last restart of the agent. */
const ProbationProgress = Type.Object({
  elapsedMs: Type.Number({ minimum: 0 }),
  inferences: Count,
  failures: Count,
  crashes: Count,
});
export type ProbationProgress = Static<typeof ProbationProgress>;

const Attempt = Type.Object({
  order: Order,
  phase: AttemptPhase,
  /** When the phase began, milliseconds since the epoch. */
  since: Millis,
  /** Starts of the agent since the attempt became risky (`fetched`). */
  restarts: Count,
  /** Tries that ended in damage and led back to an earlier phase. */
  tries: Count,
  progress: ProbationProgress,
  /** Why it is rolled back, or what it waits for. */
  failure: Nullable(Failure),
  /** The previous release could not be made to run either; reported once. */
  stuck: Type.Boolean(),
  /** The newer directive that begins when this attempt has ended. */
  next: Nullable(Order),
});
export type Attempt = Static<typeof Attempt>;

/**
 * All that decides what the device does next. `active` is the release pointer: what has to serve now. It is
 * `committed`, or the attempt's release from the switch until its end.
 */
export const JournalState = Type.Object({
  v: Type.Literal(1),
  committed: Nullable(ReleaseRef),
  active: Nullable(ReleaseRef),
  /** Committed before `committed`; kept in the store while there is room. */
  previous: Nullable(ReleaseRef),
  attempt: Nullable(Attempt),
  lastResult: Nullable(UpdateResult),
});
export type JournalState = Static<typeof JournalState>;

export const emptyJournal: JournalState = {
  v: 1,
  committed: null,
  active: null,
  previous: null,
  attempt: null,
  lastResult: null,
};

export const noProgress: ProbationProgress = { elapsedMs: 0, inferences: 0, failures: 0, crashes: 0 };

/** Two releases with the same digest are the same release; running nothing is the same as running nothing. */
export const sameRelease = (a: ReleaseRef | null, b: ReleaseRef | null): boolean => a?.digest === b?.digest;
