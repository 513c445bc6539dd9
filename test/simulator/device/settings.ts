import type { DrainSettings } from "@muster/agent/link/drain-window";
import type { ReconnectRule } from "@muster/agent/link/link-machine";

/** Shortest and longest time that a step of an update takes, milliseconds. */
export type Span = readonly [number, number];

/** How all simulated devices of a run behave while nothing is wrong with them; times in milliseconds. */
export interface DeviceSettings {
  heartbeatMs: number;
  /** Every so often the results since the last time are written to the outbox; 0 for never. */
  telemetryMs: number;
  resultsPerTelemetry: number;
  inferencesPerSecond: number;
  reconnect: ReconnectRule;
  stableAfterMs: number;
  connectTimeoutMs: number;
  drain: DrainSettings;
  /** Results that wait for an acknowledgement beyond which no more are made. */
  outboxRecords: number;
  work: Record<"resolve" | "fetch" | "stage" | "activate" | "restore", Span>;
  /** How often a release on probation is judged. */
  probationSampleMs: number;
}

/** The agent's own defaults; work as on a small box with a short download. */
export const defaultDeviceSettings: DeviceSettings = {
  heartbeatMs: 30_000,
  telemetryMs: 60_000,
  resultsPerTelemetry: 10,
  inferencesPerSecond: 2,
  reconnect: { minMs: 1_000, maxMs: 300_000, startDelayMs: 30_000 },
  stableAfterMs: 60_000,
  connectTimeoutMs: 15_000,
  drain: { batchesInFlight: 8, ackTimeoutMs: 10_000, batchRecords: 500, batchBytes: 131_072 },
  outboxRecords: 5_000,
  work: {
    resolve: [50, 300],
    fetch: [500, 5_000],
    stage: [200, 1_000],
    activate: [100, 500],
    restore: [200, 800],
  },
  probationSampleMs: 1_000,
};
