import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { RolloutDeviceStatus, RolloutState } from "../storage/tables/rollouts.ts";
import type { HoldReason } from "./admission/admit.ts";
import type { GateView } from "./gate/views.ts";
import type { Actor } from "./model.ts";
import type { RolloutPlan } from "./plan.ts";

/**
 * Devices of a wave or rollout, each counted once. `offline` could not be told yet because it is not there;
 * `withheld` does not pass: it is told nothing, and what it reported proves nothing; `pending` is at work; `silent` was
 * told and fell silent before its end. None of them is hidden in a share.
 */
export interface DeviceCounts {
  total: number;
  waiting: number;
  offline: number;
  withheld: number;
  pending: number;
  silent: number;
  /** Failed in a way that time may mend; it is told again. */
  retrying: number;
  succeeded: number;
  failed: number;
  returning: number;
  returned: number;
  returnFailed: number;
  /** Revoked. */
  released: number;
  /** Joined late; an operator decides whether it takes part. */
  held: number;
  /** Taken over by another rollout. */
  superseded: number;
  /** Not told before the deadline. */
  skipped: number;
}

/** Why devices that may be told are not told just now, as the last tick of this process found it. */
export type HeldCounts = Partial<Record<HoldReason, number>>;

export interface RolloutSummary {
  id: string;
  state: RolloutState;
  release: ReleaseRef;
  selector: string;
  priority: number;
  reason: string | null;
  /** Number of the open wave, counted from 1; null before the start. */
  wave: number | null;
  waves: number;
  counts: DeviceCounts;
  createdBy: Actor;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
}

export interface RolloutPage {
  rollouts: RolloutSummary[];
  /** Cursor of the next page; null on the last one. */
  next: string | null;
}

export interface WaveView {
  /** Counted from 1. */
  number: number;
  state: "waiting" | "open" | "passed" | "stopped";
  counts: DeviceCounts;
}

export interface ApprovalView {
  operator: Actor;
  decision: "approved" | "denied";
  reason: string | null;
  at: number;
}

export interface RolloutDeviceView {
  device: string;
  name: string;
  site: string;
  hardwareClass: string;
  wave: number;
  status: RolloutDeviceStatus;
  /** `status` with `told` and `waiting` told apart. */
  situation: keyof Omit<DeviceCounts, "total">;
  /** Why it is not told just now; null where nothing holds it. */
  held: HoldReason | null;
  /** Why it gets nothing new from anybody, one sentence; null for a device that passes. */
  withheldBecause: string | null;
  previous: ReleaseRef | null;
  attempts: number;
  /** Phase of the update journal that it reported last. */
  phase: string | null;
  /** When it may be told again. */
  notBefore: number | null;
  outcome: string | null;
  failure: Failure | null;
  toldAt: number | null;
}

/** A rollout as one of its devices sees it. */
export interface DeviceRolloutView extends RolloutDeviceView {
  rollout: string;
  release: ReleaseRef;
  state: RolloutState;
  /** Number of the open wave, counted from 1. */
  openWave: number | null;
  priority: number;
}

export interface RolloutDevicePage {
  devices: RolloutDeviceView[];
  /** Cursor of the next page; null on the last one. */
  next: string | null;
}

export interface RolloutView extends RolloutSummary {
  plan: RolloutPlan;
  submittedBy: Actor | null;
  approvals: { needed: number; given: ApprovalView[] };
  waveList: WaveView[];
  held: HeldCounts;
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
