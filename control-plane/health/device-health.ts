import type { Heartbeat } from "@muster/shared/protocol/messages";

/** What a device said about itself within the last 5 to 10 minutes: sums of its heartbeats. */
export interface HealthWindow {
  /** Heartbeats in it; with 0 nothing else is known. */
  heartbeats: number;
  operationalMs: number;
  connectedMs: number;
  syncSucceeded: number;
  syncFailed: number;
  servingMs: number;
  /** Of a heartbeat that tells of a longer time only the part that falls to 10 minutes. */
  crashes: number;
  inferences: number;
  failures: number;
  fallbacks: number;
  degraded: number;
  refused: number;
  /** 95th percentile of inference time, milliseconds; null without an inference. */
  p95Ms: number | null;
}

export type Vitals = Heartbeat["health"];

/** Why a device has lost points. */
export type ReasonCode =
  | "offline"
  | "late"
  | "flapping"
  | "runner-failed"
  | "not-serving"
  | "crashes"
  | "error-rate"
  | "fallback"
  | "sync-failures"
  | "low-disk"
  | "low-memory"
  | "temperature"
  | "outbox"
  | "lost-records"
  | "clock-skew"
  | "certificate"
  | "update-failed";

export interface HealthReason {
  code: ReasonCode;
  /** Points of the 100 that it costs. */
  points: number;
  /** For people; ends with a full stop. */
  sentence: string;
}

/** How one device fares, as far as the control plane knows. Times in milliseconds since the epoch. */
export interface DeviceHealth {
  device: string;
  /** When its newest heartbeat was received; null before the first. */
  at: number | null;
  /** Of its newest heartbeat. */
  vitals: Vitals | null;
  window: HealthWindow;
  /** Its clock less the clock of the control plane, at its newest heartbeat; transport counts as lag. */
  clockSkewMs: number | null;
  /** 0 to 100; 100 is healthy. */
  score: number;
  /** The heaviest first. */
  reasons: HealthReason[];
}
