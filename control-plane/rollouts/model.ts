import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { RolloutDeviceStatus, RolloutState } from "../storage/tables/rollouts.ts";
import type { GateView } from "./gate.ts";
import type { RolloutPlan } from "./plan.ts";

/** One device of a rollout as stored; see `RolloutDevicesTable`. */
export interface DeviceRecord {
  device: string;
  /** What people call it. */
  name: string;
  site: string;
  hardwareClass: string;
  wave: number;
  status: RolloutDeviceStatus;
  previous: ReleaseRef | null;
  toldGeneration: number | null;
  toldAt: number | null;
  reachedAt: number | null;
  returnGeneration: number | null;
  returnedAt: number | null;
  outcome: string | null;
  failure: Failure | null;
}

/** Statuses that late evidence may still move once the rollout has ended. */
export const OPEN_STATUSES: readonly RolloutDeviceStatus[] = ["told", "returning", "return-failed"];

/** What the engine keeps of a rollout from one tick to the next. Times in milliseconds since the epoch. */
export interface RolloutProgress {
  state: RolloutState;
  reason: string | null;
  /** Open wave counted from 0, null before the first. */
  wave: number | null;
  waveOpenedAt: number | null;
  gateHeldSince: number | null;
  waveAccepted: boolean;
  /** Gate as it was when it last moved or stopped the rollout. */
  gate: GateView | null;
  endedAt: number | null;
}

export interface Rollout extends RolloutProgress {
  id: string;
  release: ReleaseRef;
  manifest: ReleaseManifest;
  plan: RolloutPlan;
  /** In the order in which they are told. */
  devices: readonly DeviceRecord[];
}

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

export type FactsOf = (device: string) => DeviceFacts;

/** True when nothing about the device's way through the rollout has changed. */
export const isSame = (a: DeviceRecord, b: DeviceRecord): boolean =>
  a.status === b.status &&
  a.outcome === b.outcome &&
  a.reachedAt === b.reachedAt &&
  a.failure?.code === b.failure?.code &&
  a.failure?.message === b.failure?.message;
