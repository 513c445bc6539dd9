import { POWER_LEVELS } from "@muster/shared/protocol/messages";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { TrustStanding } from "../attestation/verdict.ts";
import type { Liveness } from "../fleet/liveness.ts";
import type { DeviceHealth, Vitals } from "../health/device-health.ts";
import type { Signals } from "./signals.ts";

/** What is known of one device. Times in milliseconds since the epoch. */
export interface DeviceKnowledge {
  liveness: Liveness;
  lastSeenAt: number | null;
  reported: ReportedState | null;
  health: DeviceHealth;
  /** Models with a drift alarm; undefined where none was watched of late. */
  driftingModels?: number | undefined;
  /** Undefined where no device was ever appraised. */
  trust?: TrustStanding | undefined;
  certificateExpiresAt: number | null;
  /** Records told as lost within the last hour. */
  lostRecords: number;
}

/** From so many inferences on a share of them says something. */
const LEAST_INFERENCES = 20;
const LEAST_ATTEMPTS = 5;
const MIB = 1024 ** 2;
const DAY_MS = 86_400_000;
/** Vitals that are older say nothing about now, milliseconds. */
const VITALS_AGE_MS = 600_000;

/** Signals of one device; what is not known is absent. */
export function deviceSignals(known: DeviceKnowledge, now: number): Signals {
  const { liveness, lastSeenAt, health, certificateExpiresAt, lostRecords } = known;
  const signals: Signals = {
    offline: liveness === "offline" ? 1 : 0,
    flapping: liveness === "flapping" ? 1 : 0,
    lostRecords,
  };
  if (lastSeenAt !== null) signals.silentSeconds = Math.max(0, now - lastSeenAt) / 1000;
  if (known.driftingModels !== undefined) signals.driftingModels = known.driftingModels;
  if (certificateExpiresAt !== null) signals.certificateDaysLeft = (certificateExpiresAt - now) / DAY_MS;
  if (known.trust) addTrust(signals, known.trust);
  addHealth(signals, health, now);
  addServing(signals, known);
  addUpdate(signals, known.reported, now);
  return signals;
}

function addTrust(signals: Signals, { verdict, withheld }: TrustStanding): void {
  signals.contraindicated = verdict === "contraindicated" ? 1 : 0;
  signals.withheld = withheld ? 1 : 0;
  signals.unattested = verdict === "none" ? 1 : 0;
}

function addHealth(
  signals: Signals,
  { at, vitals, window, clockSkewMs, score }: DeviceHealth,
  now: number,
): void {
  signals.healthScore = score;
  if (vitals !== null && at !== null && now - at <= VITALS_AGE_MS) {
    signals.freeDiskMiB = vitals.freeDiskMiB;
    signals.freeMemoryMiB = vitals.freeMemoryMiB;
    signals.loadPerCore = vitals.loadPerCore;
    signals.outboxMiB = vitals.outboxBytes / MIB;
    if (vitals.temperatureC !== null) signals.temperatureC = vitals.temperatureC;
    addPower(signals, vitals);
    if (clockSkewMs !== null) signals.clockSkewSeconds = Math.abs(clockSkewMs) / 1000;
  }
  if (window.heartbeats === 0) return;
  const { crashes, inferences, failures, fallbacks, degraded, refused, p95Ms } = window;
  const { syncSucceeded, syncFailed } = window;
  signals.crashes = crashes;
  if (inferences >= LEAST_INFERENCES) {
    signals.errorPercent = (100 * failures) / inferences;
    signals.fallbackPercent = (100 * fallbacks) / inferences;
    signals.degradedPercent = (100 * degraded) / inferences;
  }
  const requests = inferences + refused;
  if (requests >= LEAST_INFERENCES) signals.refusedPercent = (100 * refused) / requests;
  if (p95Ms !== null) signals.latencyP95Ms = p95Ms;
  const attempts = syncSucceeded + syncFailed;
  if (attempts >= LEAST_ATTEMPTS) signals.syncFailedPercent = (100 * syncFailed) / attempts;
}

function addPower(signals: Signals, { power }: Vitals): void {
  if (!power) return;
  signals.heatLevel = POWER_LEVELS.indexOf(power.heat);
  signals.drawLevel = POWER_LEVELS.indexOf(power.draw);
  if (power.watts !== null) signals.watts = power.watts;
}

/** Only a device that is there and not in the middle of a change can have stopped. */
function addServing(signals: Signals, { liveness, reported, health }: DeviceKnowledge): void {
  if (liveness !== "online" || reported === null || reported.update !== null) return;
  const { runner, lastResult } = reported;
  if (runner === "ready") {
    if (health.window.heartbeats > 0) signals.servingStopped = health.window.servingMs === 0 ? 1 : 0;
  } else if (runner === "idle") {
    if (lastResult?.outcome === "failed-stuck") signals.servingStopped = 1;
  } else signals.servingStopped = 1;
}

/** The clock of a device may be wrong: a result from the future is one of now. */
function addUpdate(signals: Signals, reported: ReportedState | null, now: number): void {
  const last = reported?.lastResult;
  if (!last || last.outcome === "superseded" || now - last.at > DAY_MS) return;
  signals.updateFailed = last.outcome === "succeeded" ? 0 : 1;
}
