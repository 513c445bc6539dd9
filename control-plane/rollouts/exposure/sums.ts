import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";

/**
 * What a device (or an arm) measured, as one array of numbers that add up: it is copied, added and stored whole,
 * hundreds of times a second.
 */
export type Sums = Float64Array;

export const SERVING_MS = 0;
export const CRASHES = 1;
export const INFERENCES = 2;
export const FAILURES = 3;
export const FALLBACKS = 4;
export const COMPARED = 5;
export const AGREED = 6;
/** Serving time voided by crashes, milliseconds; not additive over time within a device, see `voidedMs`. */
export const VOIDED_MS = 7;
const LATENCY = 8;
const CONFIDENCE = LATENCY + LATENCY_EDGES_MS.length + 1;
export const SUMS_LENGTH = CONFIDENCE + CONFIDENCE_EDGES.length + 1;

const HOUR_MS = 3_600_000;

export const noSums = (): Sums => new Float64Array(SUMS_LENGTH);

/** Counts of the latency bins, edges `LATENCY_EDGES_MS`; a view, not a copy. */
export const latencyOf = (sums: Sums): Float64Array => sums.subarray(LATENCY, CONFIDENCE);

/** Counts of the confidence bins, edges `CONFIDENCE_EDGES`; a view, not a copy. */
export const confidenceOf = (sums: Sums): Float64Array => sums.subarray(CONFIDENCE, SUMS_LENGTH);

/** Serving time that a device's crashes void: an hour each, and never more than it served. */
export const voidedMs = (sums: Sums): number =>
  Math.min(sums[SERVING_MS] ?? 0, (sums[CRASHES] ?? 0) * HOUR_MS);

/**
 * Adds what one heartbeat said of a release. A histogram with edges of another version of the agent is left out;
 * the device then has no latency (or confidence), and all else counts.
 */
export function addCounters(sums: Sums, counters: InferenceCounters): void {
  const { inferences, latency, confidence, shadow } = counters;
  add(sums, SERVING_MS, counters.servingMs);
  add(sums, CRASHES, counters.crashes);
  add(sums, INFERENCES, inferences);
  // A share over 100 % would be no measurement, whoever sent it.
  add(sums, FAILURES, Math.min(counters.failures, inferences));
  add(sums, FALLBACKS, Math.min(counters.fallbacks, inferences));
  if (shadow) {
    add(sums, COMPARED, shadow.compared);
    add(sums, AGREED, Math.min(shadow.agreed, shadow.compared));
  }
  if (hasEdges(latency.edges, LATENCY_EDGES_MS)) addAll(sums, LATENCY, latency.counts);
  if (hasEdges(confidence.edges, CONFIDENCE_EDGES)) addAll(sums, CONFIDENCE, confidence.counts);
  sums[VOIDED_MS] = voidedMs(sums);
}

/** `into += weight * sums` */
export function addSums(into: Sums, sums: Sums, weight = 1): void {
  for (let index = 0; index < SUMS_LENGTH; index += 1) add(into, index, weight * (sums[index] ?? 0));
}

function add(sums: Sums, index: number, value: number): void {
  sums[index] = (sums[index] ?? 0) + value;
}

function addAll(sums: Sums, offset: number, counts: readonly number[]): void {
  const room = offset === LATENCY ? CONFIDENCE : SUMS_LENGTH;
  for (let bin = 0; bin < counts.length && offset + bin < room; bin += 1)
    add(sums, offset + bin, counts[bin] ?? 0);
}

const hasEdges = (edges: readonly number[], wanted: readonly number[]): boolean =>
  edges.length === wanted.length && wanted.every((edge, index) => edges[index] === edge);
