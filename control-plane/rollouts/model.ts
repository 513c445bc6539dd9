import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { ReportedState, UpdatePhase } from "@muster/shared/protocol/state";
import type { RolloutDeviceStatus, RolloutState } from "../storage/tables/rollouts.ts";
import type { PaceState } from "./admission/pace.ts";
import type { GateView } from "./gate/views.ts";
import type { Wagers } from "./gate/wagers.ts";
import type { RolloutPlan } from "./plan.ts";

/** Who acts: an operator by id, with the name that events tell. */
export interface Actor {
  id: string;
  name: string;
}

/** One device of a rollout as stored; see `RolloutDevicesTable`. */
export interface DeviceRecord {
  device: string;
  /** What people call it. */
  name: string;
  site: string;
  hardwareClass: string;
  wave: number;
  status: RolloutDeviceStatus;
  /** Download size of its variant. */
  bytes: number;
  previous: ReleaseRef | null;
  /** How often it was told. */
  attempts: number;
  toldGeneration: number | null;
  toldAt: number | null;
  phase: UpdatePhase | null;
  phaseAt: number | null;
  notBefore: number | null;
  returnGeneration: number | null;
  returnedAt: number | null;
  outcome: string | null;
  failure: Failure | null;
}

/** States in which a rollout is under way. */
export const ACTIVE_STATES: readonly RolloutState[] = ["running", "paused", "aborting", "reverting"];

/** Statuses with which a device of an ended rollout is still looked at. */
export const OPEN_STATUSES: readonly RolloutDeviceStatus[] = ["told", "returning", "return-failed"];

/** Statuses with which a completed rollout still has somebody to tell. */
export const STRAGGLER_STATUSES: readonly RolloutDeviceStatus[] = ["waiting", "retrying"];

/** What the engine keeps of a rollout from one tick to the next. Times in milliseconds since the epoch. */
export interface RolloutProgress {
  state: RolloutState;
  reason: string | null;
  /** Open wave counted from 0, null before the first. */
  wave: number | null;
  /** When the open wave began: its evidence counts from here. */
  waveOpenedAt: number | null;
  /** From when the open wave has its time; a resume starts it anew. */
  waveClockAt: number | null;
  gateHeldSince: number | null;
  /** Wave counted from 0 that an operator asked to skip. */
  skipWave: number | null;
  /** Gate as it was when it last moved or stopped the rollout. */
  gate: GateView | null;
  pace: PaceState | null;
  /** State of the sequential tests of the open wave. */
  wagers: Wagers | null;
  endedAt: number | null;
}

export interface Rollout extends RolloutProgress {
  id: string;
  seed: number;
  release: ReleaseRef;
  manifest: ReleaseManifest;
  plan: RolloutPlan;
  startedAt: number | null;
  /** Waves of the plan; those behind them are of late joiners. */
  plannedWaves: number;
  /** In the order in which they are told. */
  devices: readonly DeviceRecord[];
}

/** The part of a rollout that a decision may change besides its devices. */
export const progressOf = (rollout: RolloutProgress): RolloutProgress => ({
  state: rollout.state,
  reason: rollout.reason,
  wave: rollout.wave,
  waveOpenedAt: rollout.waveOpenedAt,
  waveClockAt: rollout.waveClockAt,
  gateHeldSince: rollout.gateHeldSince,
  skipWave: rollout.skipWave,
  gate: rollout.gate,
  pace: rollout.pace,
  wagers: rollout.wagers,
  endedAt: rollout.endedAt,
});

/** One update attempt as the device told it. */
export interface Attempt {
  generation: number;
  /** Digest of the release, null for "run nothing". */
  digest: string | null;
  outcome: string | null;
  failure: Failure | null;
}

/** What is known of a device now. */
export interface DeviceFacts {
  /** False once it is revoked. */
  active: boolean;
  /** Any liveness but offline. */
  online: boolean;
  /** Rollout that issued its newest directive. */
  owner: string | null;
  /** Release that its newest directive names. */
  desired: ReleaseRef | null;
  reported: ReportedState | null;
  attempts: readonly Attempt[];
}

/** True when nothing about the device's way through the rollout has changed. */
export const isSame = (a: DeviceRecord, b: DeviceRecord): boolean =>
  a === b ||
  (a.status === b.status &&
    a.outcome === b.outcome &&
    a.phase === b.phase &&
    a.phaseAt === b.phaseAt &&
    a.notBefore === b.notBefore &&
    a.failure?.code === b.failure?.code &&
    a.failure?.message === b.failure?.message);
