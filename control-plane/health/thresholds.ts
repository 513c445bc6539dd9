const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** From `from` on (or below it, where less is worse) it costs so many points; the heaviest that holds counts. */
export interface Step {
  from: number;
  points: number;
}

/** What costs how many of the 100 points. One table, so that an operator can look it up. */
export const POINTS = {
  offline: 70,
  flapping: 30,
  late: 15,
  runnerFailed: 60,
  notServing: 40,
  /** Crashes and hangs of the runner in the window. */
  crashes: [
    { from: 1, points: 25 },
    { from: 2, points: 40 },
    { from: 4, points: 60 },
  ],
  /** Share of failed inferences, percent. */
  errorPercent: [
    { from: 1, points: 15 },
    { from: 5, points: 35 },
    { from: 20, points: 60 },
  ],
  /** Share of inferences by another than the preferred provider, percent. */
  fallbackPercent: [
    { from: 1, points: 10 },
    { from: 50, points: 20 },
  ],
  /** Share of failed attempts to reach the control plane, percent. */
  syncFailedPercent: [{ from: 50, points: 15 }],
  freeDiskMiB: [
    { from: 1024, points: 15 },
    { from: 256, points: 40 },
  ],
  freeMemoryMiB: [
    { from: 128, points: 15 },
    { from: 48, points: 35 },
  ],
  temperatureC: [
    { from: 85, points: 15 },
    { from: 95, points: 35 },
  ],
  /** An outbox holds 64 MiB unless set. */
  outboxBytes: [
    { from: 32 * MIB, points: 15 },
    { from: 56 * MIB, points: 35 },
  ],
  lostRecords: 25,
  clockSkewMs: [
    { from: MINUTE_MS, points: 10 },
    { from: 10 * MINUTE_MS, points: 25 },
  ],
  /** Certificates are renewed with a third of their life left: below 10 of 30 days it has failed for a while. */
  certificateMs: [
    { from: 7 * DAY_MS, points: 20 },
    { from: 2 * DAY_MS, points: 45 },
    { from: 0, points: 60 },
  ],
  updateFailed: 15,
  updateStuck: 60,
} as const;

/** Below so many inferences in the window a share of them says nothing. */
export const FEWEST_INFERENCES = 20;
/** Below so many attempts to reach the control plane in the window a share of them says nothing. */
export const FEWEST_SYNCS = 4;
/** A failed update is told for so long, milliseconds. */
export const UPDATE_TOLD_MS = DAY_MS;

/** Points of the highest step that the value reaches. */
export const above = (steps: readonly Step[], value: number): number =>
  steps.reduce((points, step) => (value >= step.from ? step.points : points), 0);

/** Points of the lowest step that the value stays under. */
export const below = (steps: readonly Step[], value: number): number =>
  steps.reduce((points, step) => (value < step.from ? step.points : points), 0);
