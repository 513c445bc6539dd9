import type { Accumulator } from "./accumulator.ts";
import { BUCKET_MS } from "./buckets.ts";
import type { HealthWindow } from "./device-health.ts";
import { p95Of } from "./figures.ts";
import { AT, mergePlainSums, noSums } from "./sums.ts";

const NOTHING_HEARD: HealthWindow = {
  heartbeats: 0,
  operationalMs: 0,
  connectedMs: 0,
  syncSucceeded: 0,
  syncFailed: 0,
  servingMs: 0,
  crashes: 0,
  inferences: 0,
  failures: 0,
  fallbacks: 0,
  degraded: 0,
  refused: 0,
  p95Ms: null,
};

/** Longest time that a window stands for, milliseconds. */
const LONGEST_MS = 2 * BUCKET_MS;

/**
 * What the device said within the last 5 to 10 minutes. The first heartbeat after days offline tells of all of them:
 * of its crashes only the part counts that falls to 10 minutes, taken as evenly spread.
 * @param closedIsRecent the bucket closed last ended when the open one began
 */
export function windowOf(of: Accumulator | undefined, closedIsRecent: boolean): HealthWindow {
  if (!of) return NOTHING_HEARD;
  window.fill(0);
  const { open, closed, filled } = of;
  if (closedIsRecent && filled.closed) mergePlainSums(window, closed);
  if (filled.open) mergePlainSums(window, open);
  const operationalMs = window[AT.operationalMs]!;
  return {
    heartbeats: window[AT.heartbeats]!,
    operationalMs,
    connectedMs: window[AT.connectedMs]!,
    syncSucceeded: window[AT.syncSucceeded]!,
    syncFailed: window[AT.syncFailed]!,
    servingMs: window[AT.servingMs]!,
    crashes: Math.round(window[AT.crashes]! * Math.min(1, LONGEST_MS / Math.max(1, operationalMs))),
    inferences: window[AT.inferences]!,
    failures: window[AT.failures]!,
    fallbacks: window[AT.fallbacks]!,
    degraded: window[AT.degraded]!,
    refused: window[AT.refused]!,
    p95Ms: p95Of(window),
  };
}

/** Used for one device after the other. */
const window = noSums();
