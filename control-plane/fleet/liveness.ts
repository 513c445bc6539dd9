/** Whether a device is there, computed from what arrived and when. */
export type Liveness = "online" | "late" | "offline" | "flapping";

/** What is known of one device. Times in milliseconds since the epoch. */
export interface LivenessFacts {
  lastSeenAt: number | null;
  /** When the will of its current session arrived, null while the session stands. */
  goneAt: number | null;
  /** Newest connects and wills, ascending, at most `FLAPPING_TRANSITIONS` of them. */
  transitions: readonly number[];
}

/** When this control plane listened: its own absence is no silence of a device. */
export interface ListeningTimes {
  startedAt: number;
  /** When the control plane before the restart was last known to listen; `startedAt` on the first start. */
  aliveUntil: number;
}

export interface LivenessRules {
  heartbeatIntervalMs: number;
  /** A will counts only after this time: a reconnect in between takes it back. */
  willGraceMs: number;
}

export const FLAPPING_TRANSITIONS = 6;
const FLAPPING_WINDOW_MS = 600_000;
const ONLINE_INTERVALS = 2.5;
const LATE_INTERVALS = 5;
const RESTART_INTERVALS = 2;

/**
 * Online up to 2.5 heartbeat intervals of silence, late up to 5, offline after that or after a will; flapping
 * with 6 or more transitions within 10 minutes. After a restart the time in which nobody listened does not
 * count, and nothing turns offline by silence before 2 intervals have passed.
 */
export function livenessOf(
  facts: LivenessFacts,
  now: number,
  listening: ListeningTimes,
  rules: LivenessRules,
): Liveness {
  const { lastSeenAt, goneAt, transitions } = facts;
  if (isFlapping(transitions, now)) return "flapping";
  if (lastSeenAt === null) return "offline";
  if (goneAt !== null && now - goneAt >= rules.willGraceMs) return "offline";

  const interval = rules.heartbeatIntervalMs;
  const unheard =
    lastSeenAt < listening.startedAt ? listening.startedAt - Math.max(listening.aliveUntil, lastSeenAt) : 0;
  const silence = now - lastSeenAt - Math.max(0, unheard);
  if (silence <= ONLINE_INTERVALS * interval) return "online";
  if (silence <= LATE_INTERVALS * interval) return "late";
  const silentBefore = listening.aliveUntil - lastSeenAt > LATE_INTERVALS * interval;
  const justStarted = now - listening.startedAt < RESTART_INTERVALS * interval;
  return justStarted && !silentBefore && lastSeenAt < listening.startedAt ? "late" : "offline";
}

/** Transitions ascend, so the oldest of the newest six decides. */
function isFlapping(transitions: readonly number[], now: number): boolean {
  const decisive = transitions.at(-FLAPPING_TRANSITIONS);
  return decisive !== undefined && decisive > now - FLAPPING_WINDOW_MS;
}
