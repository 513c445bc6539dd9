import type { ReportedState } from "@muster/shared/protocol/state";
import type { Liveness } from "../fleet/liveness.ts";
import type { HealthReason, HealthWindow, ReasonCode, Vitals } from "./device-health.ts";
import { above, below, FEWEST_INFERENCES, FEWEST_SYNCS, POINTS, UPDATE_TOLD_MS } from "./thresholds.ts";

/** Everything that the score of a device depends on. Times in milliseconds since the epoch. */
export interface ScoreFacts {
  now: number;
  liveness: Liveness;
  lastSeenAt: number | null;
  /** Since when this control plane is there to be reached. */
  reachableSince: number;
  reported: Pick<ReportedState, "runner" | "components" | "update" | "lastResult"> | null;
  window: HealthWindow;
  vitals: Vitals | null;
  clockSkewMs: number | null;
  /** Records that the device told as evicted within the last hour. */
  lostRecords: number;
  certificateExpiresAt: number | null;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The window of the sums reaches back so far. */
const SYNC_WINDOW_MS = 10 * 60_000;

const span = (ms: number): string =>
  ms < 2 * 60_000
    ? `${Math.round(ms / 1000)} s`
    : ms < 2 * HOUR_MS
      ? `${Math.round(ms / 60_000)} min`
      : ms < 2 * DAY_MS
        ? `${Math.round(ms / HOUR_MS)} h`
        : `${Math.round(ms / DAY_MS)} d`;

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? "" : "s"}`;
const percent = (share: number): string => `${share < 10 ? Number(share.toFixed(1)) : Math.round(share)} %`;

type Finding = HealthReason | undefined;

/** Sentences are made only where they are needed: most devices lack nothing. */
const finding = (code: ReasonCode, points: number, sentence: () => string): Finding =>
  points > 0 ? { code, points, sentence: sentence() } : undefined;

/** 100 less the points of every reason, at least 0; the heaviest reason first. */
export function scoreOf(facts: ScoreFacts): { score: number; reasons: HealthReason[] } {
  // Of a device that is away only what outlasts its absence is known.
  const now = facts.liveness === "offline" ? [] : [...findBox(facts), ...findInference(facts)];
  const reasons = [findLiveness(facts), ...now, ...findLasting(facts)]
    .filter((reason) => reason !== undefined)
    .sort((a, b) => b.points - a.points || (a.code < b.code ? -1 : 1));
  const points = reasons.reduce((sum, reason) => sum + reason.points, 0);
  return { score: Math.max(0, 100 - points), reasons };
}

function findLiveness({ liveness, lastSeenAt, now }: ScoreFacts): Finding {
  const silent = lastSeenAt === null ? "was never heard" : `was heard ${span(now - lastSeenAt)} ago`;
  switch (liveness) {
    case "offline":
      return finding("offline", POINTS.offline, () => `The device is offline; it ${silent}.`);
    case "late":
      return finding("late", POINTS.late, () => `The device is late; it ${silent}.`);
    case "flapping":
      return finding("flapping", POINTS.flapping, () => "The device connects and vanishes again and again.");
    case "online":
      return undefined;
  }
}

function findInference({ reported, window, now, reachableSince }: ScoreFacts): Finding[] {
  const { crashes, inferences, failures, fallbacks, syncSucceeded, syncFailed } = window;
  const errors = inferences < FEWEST_INFERENCES ? 0 : (100 * failures) / inferences;
  const other = inferences < FEWEST_INFERENCES ? 0 : (100 * fallbacks) / inferences;
  const syncs = syncSucceeded + syncFailed;
  // What failed while there was nobody to reach says nothing about the device.
  const hadChance = now - reachableSince >= SYNC_WINDOW_MS;
  const unsynced = syncs < FEWEST_SYNCS || !hadChance ? 0 : (100 * syncFailed) / syncs;
  return [
    findRunner(reported),
    finding(
      "crashes",
      above(POINTS.crashes, crashes),
      () => `The runner crashed or hung ${plural(crashes, "time")} within the last 10 minutes.`,
    ),
    finding(
      "error-rate",
      above(POINTS.errorPercent, errors),
      () => `${percent(errors)} of ${inferences} inferences failed within the last 10 minutes.`,
    ),
    finding(
      "fallback",
      above(POINTS.fallbackPercent, other),
      () => `${percent(other)} of ${inferences} inferences ran on another than the preferred provider.`,
    ),
    finding(
      "sync-failures",
      above(POINTS.syncFailedPercent, unsynced),
      () =>
        `${syncFailed} of ${syncs} attempts to reach the control plane failed within the last 10 minutes.`,
    ),
  ];
}

function findRunner(reported: ScoreFacts["reported"]): Finding {
  if (reported?.runner === "failed")
    return finding(
      "runner-failed",
      POINTS.runnerFailed,
      () => "The release cannot be served; the agent tries again.",
    );
  const shouldServe = reported?.components.some(({ type }) => type === "model") ?? false;
  const serves = reported?.runner === "ready" || reported?.update !== null;
  return shouldServe && !serves
    ? finding(
        "not-serving",
        POINTS.notServing,
        () => "A model is installed, yet no runner is ready to serve it.",
      )
    : undefined;
}

function findBox({ vitals, clockSkewMs }: ScoreFacts): Finding[] {
  const skew = Math.abs(clockSkewMs ?? 0);
  const clock = finding(
    "clock-skew",
    above(POINTS.clockSkewMs, skew),
    () => `The clock of the device is ${span(skew)} ${(clockSkewMs ?? 0) < 0 ? "behind" : "ahead"}.`,
  );
  if (!vitals) return [clock];
  const { freeDiskMiB, freeMemoryMiB, temperatureC, outboxBytes } = vitals;
  return [
    clock,
    finding(
      "low-disk",
      below(POINTS.freeDiskMiB, freeDiskMiB),
      () => `Only ${freeDiskMiB} MiB of disk are free.`,
    ),
    finding(
      "low-memory",
      below(POINTS.freeMemoryMiB, freeMemoryMiB),
      () => `Only ${freeMemoryMiB} MiB of memory are free.`,
    ),
    finding(
      "temperature",
      temperatureC === null ? 0 : above(POINTS.temperatureC, temperatureC),
      () => `The box has ${Math.round(temperatureC ?? 0)} °C.`,
    ),
    finding(
      "outbox",
      above(POINTS.outboxBytes, outboxBytes),
      () => `${Math.round(outboxBytes / 1024 ** 2)} MiB of results wait on the device.`,
    ),
  ];
}

function findLasting({ now, reported, lostRecords, certificateExpiresAt }: ScoreFacts): Finding[] {
  const left = certificateExpiresAt === null ? Number.POSITIVE_INFINITY : certificateExpiresAt - now;
  return [
    finding(
      "lost-records",
      lostRecords > 0 ? POINTS.lostRecords : 0,
      () => `The device had to drop ${plural(lostRecords, "record")} for want of room.`,
    ),
    finding("certificate", below(POINTS.certificateMs, left), () =>
      left <= 0
        ? "The certificate of the device has expired; it must enroll again."
        : `The certificate of the device ends in ${span(left)} and was not renewed.`,
    ),
    findUpdate(reported?.lastResult ?? null, now),
  ];
}

function findUpdate(result: ReportedState["lastResult"], now: number): Finding {
  if (!result || result.outcome === "succeeded" || result.outcome === "superseded") return undefined;
  const release = result.release ? `${result.release.name} ${result.release.version}` : "nothing";
  if (result.outcome === "failed-stuck")
    return finding(
      "update-failed",
      POINTS.updateStuck,
      () =>
        `The update to ${release} failed and could not be taken back: ${result.failure?.message ?? "no reason told."}`,
    );
  if (now - result.at > UPDATE_TOLD_MS) return undefined;
  return finding(
    "update-failed",
    POINTS.updateFailed,
    () => `The update to ${release} failed: ${result.failure?.message ?? "no reason told."}`,
  );
}
