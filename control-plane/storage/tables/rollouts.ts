/** Rollouts in control.db. Times in milliseconds since the epoch by the control plane's clock. */

export type RolloutState =
  | "draft"
  | "running"
  | "paused"
  | "completed"
  | "aborting"
  | "aborted"
  | "reverting"
  | "reverted";

export type RolloutDeviceStatus =
  | "waiting"
  | "told"
  | "succeeded"
  | "failed"
  | "returning"
  | "returned"
  | "return-failed"
  | "released";

export interface RolloutsTable {
  id: string;
  state: RolloutState;
  /** JSON `ReleaseRef`. */
  release: string;
  /** JSON `RolloutPlan` with every default filled in. */
  plan: string;
  /** Seed of the order in which devices are taken. */
  seed: number;
  /** Why it is in this state, where somebody or a gate brought it there. */
  reason: string | null;
  /** Wave that is open, counted from 0; null before the start. */
  wave: number | null;
  /** Start of the open wave's clock; a resume starts it anew. */
  wave_opened_at: number | null;
  /** Since when the open wave meets its gate without a break: the soak counts from here. */
  gate_held_since: number | null;
  /** 1 when the operator took the open wave as it is. */
  wave_accepted: number;
  /** JSON `GateView` that last moved or stopped the rollout. */
  gate: string | null;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
}

/** One device of a started rollout: the target set is fixed at the start. */
export interface RolloutDevicesTable {
  rollout: string;
  device: string;
  site: string;
  hardware_class: string;
  wave: number;
  /** Place in the order, counted from 0. */
  position: number;
  status: RolloutDeviceStatus;
  /** JSON `ReleaseRef` or null for nothing: what it ran before it was told. */
  previous: string | null;
  /** Generation of the directive that told it the new release. */
  told_generation: number | null;
  told_at: number | null;
  /** First time that it was seen online since it was told: from here on silence counts against it. */
  reached_at: number | null;
  /** Generation of the directive that gave it the previous release back. */
  return_generation: number | null;
  returned_at: number | null;
  /** How its update ended: an `UpdateOutcome`, `timed-out` or `canceled`. */
  outcome: string | null;
  /** JSON `Failure`. */
  failure: string | null;
}

export interface RolloutEventsTable {
  rollout: string;
  /** Counts from 1 in each rollout. */
  seq: number;
  at: number;
  kind: string;
  /** Plain sentence. */
  sentence: string;
  /** JSON object of numbers that the sentence rests on. */
  numbers: string;
}

export interface RolloutTables {
  rollouts: RolloutsTable;
  rollout_devices: RolloutDevicesTable;
  rollout_events: RolloutEventsTable;
}
