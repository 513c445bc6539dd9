import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { RolloutDeviceStatus, RolloutState } from "../storage/tables/rollouts.ts";
import type { GateView } from "./gate.ts";
import type { RolloutPlan } from "./plan.ts";

/**
 * Devices of a wave or rollout, each counted once. `offline` was told and has not been seen since; `pending` is
 * at work; `silent` was seen and fell silent before its end. None of the three is hidden in a share.
 */
export interface DeviceCounts {
  total: number;
  waiting: number;
  offline: number;
  pending: number;
  silent: number;
  succeeded: number;
  failed: number;
  returning: number;
  returned: number;
  returnFailed: number;
  /** Revoked, or taken over by another rollout after this one had ended. */
  released: number;
}

export interface RolloutSummary {
  id: string;
  state: RolloutState;
  release: ReleaseRef;
  selector: string;
  reason: string | null;
  /** Number of the open wave, counted from 1; null before the start. */
  wave: number | null;
  waves: number;
  counts: DeviceCounts;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
}

export interface WaveView {
  /** Counted from 1. */
  number: number;
  state: "waiting" | "open" | "passed" | "stopped";
  counts: DeviceCounts;
}

export interface RolloutDeviceView {
  device: string;
  name: string;
  site: string;
  hardwareClass: string;
  wave: number;
  status: RolloutDeviceStatus;
  /** `status` with `told` told apart. */
  situation: keyof Omit<DeviceCounts, "total">;
  previous: ReleaseRef | null;
  outcome: string | null;
  failure: Failure | null;
  toldAt: number | null;
}

export interface RolloutView extends RolloutSummary {
  plan: RolloutPlan;
  waveList: WaveView[];
  /** Gate of the open (or last) wave; null before the start. */
  gate: GateView | null;
  /** Failures by code, most frequent first. */
  failures: { code: string; devices: number; example: string }[];
}

export interface RolloutEventView {
  seq: number;
  at: number;
  kind: string;
  sentence: string;
  numbers: Record<string, number>;
}

export type ExclusionReason =
  | "revoked"
  | "no-variant"
  | "quarantined"
  | "already-running"
  | "in-other-rollout";

/** What a plan selects, as things stand. */
export interface SelectionView {
  release: ReleaseRef;
  /** Devices that the selector matches. */
  matched: number;
  /** Devices by wave. */
  waves: {
    number: number;
    devices: { device: string; name: string; site: string; hardwareClass: string }[];
  }[];
  /** Matched devices that are left out, and why. */
  excluded: { device: string; name: string; site: string; reason: ExclusionReason; sentence: string }[];
}
