/** Rollouts in control.db. Times in milliseconds since the epoch by the control plane's clock. */

export const ROLLOUT_STATES = [
  "draft",
  "awaiting-approval",
  "scheduled",
  "running",
  "paused",
  "completed",
  "aborting",
  "aborted",
  "reverting",
  "reverted",
] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];

export const DEVICE_STATUSES = [
  "waiting",
  "told",
  "retrying",
  "succeeded",
  "failed",
  "returning",
  "returned",
  "return-failed",
  "released",
  "held",
  "superseded",
  "skipped",
] as const;
export type RolloutDeviceStatus = (typeof DEVICE_STATUSES)[number];

export interface RolloutsTable {
  id: string;
  state: RolloutState;
  /** Grows with each change of this row: who keeps a copy sees that it is old. */
  revision: number;
  /** The same for the rows of its devices. */
  members_revision: number;
  /** JSON `ReleaseRef`. */
  release: string;
  /** JSON `RolloutPlan` with every default filled in. */
  plan: string;
  /** Seed of the order in which devices are taken, and of everything else that is drawn. */
  seed: number;
  /** Why it is in this state, where somebody or a gate brought it there. */
  reason: string | null;
  /** Wave that is open, counted from 0; null before the start. */
  wave: number | null;
  /** When the open wave began: its evidence counts from here. */
  wave_opened_at: number | null;
  /** From when the open wave has its time; a resume starts it anew. */
  wave_clock_at: number | null;
  /** Since when the open wave meets its gate without a break: the soak counts from here. */
  gate_held_since: number | null;
  /** Wave counted from 0 that an operator asked to skip. */
  skip_wave: number | null;
  /** Waves of the plan, fixed at the start; those behind them are of late joiners. */
  planned_waves: number | null;
  /** JSON `GateView` that last moved or stopped the rollout. */
  gate: string | null;
  /** JSON `PaceState`. */
  pace: string | null;
  /** JSON state of the sequential tests. */
  wagers: string | null;
  /** Approvals without which it does not start; fixed when it was submitted. */
  approvals_needed: number;
  /** JSON `Actor`: who planned it, and who submitted it. */
  created_by: string;
  submitted_by: string | null;
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
}

/** One device of a started rollout. */
export interface RolloutDevicesTable {
  rollout: string;
  device: string;
  site: string;
  hardware_class: string;
  wave: number;
  /** Place in the order, counted from 0. */
  position: number;
  status: RolloutDeviceStatus;
  /** Download size of its variant, bytes. */
  bytes: number;
  /** JSON `ReleaseRef` or null for nothing: what it ran before it was told; once it was sent back, where to. */
  previous: string | null;
  /** How often it was told. */
  attempts: number;
  /** Generation of the directive that told it the new release last. */
  told_generation: number | null;
  told_at: number | null;
  /** Phase of the update journal that it reported last for that directive, and when the phase was first seen. */
  phase: string | null;
  phase_at: number | null;
  /** When it may be told again. */
  not_before: number | null;
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

/** What operators said to a rollout that awaits approval; each of them once. */
export interface RolloutApprovalsTable {
  rollout: string;
  operator: string;
  operator_name: string;
  decision: "approved" | "denied";
  reason: string | null;
  at: number;
}

/** Who may decide: one holder at a time. */
export interface LeasesTable {
  name: string;
  holder: string;
  /** Grows with each change of the holder. */
  epoch: number;
  renewed_at: number;
  expires_at: number;
}

export interface RolloutTables {
  rollouts: RolloutsTable;
  rollout_devices: RolloutDevicesTable;
  rollout_events: RolloutEventsTable;
  rollout_approvals: RolloutApprovalsTable;
  leases: LeasesTable;
}
