import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";

/**
 * Sums of heartbeats as one flat array of numbers, so that they add up over time, devices, sites, classes and
 * releases by plain addition. Vitals cannot be added: of each one its count, sum, least, greatest and newest value
 * are kept.
 */
export type Sums = Float64Array;

/** Places of the plain sums. Times in milliseconds. */
export const AT = {
  heartbeats: 0,
  operationalMs: 1,
  connectedMs: 2,
  syncSucceeded: 3,
  syncFailed: 4,
  /** Operational time of device hours in which a runner crashed. */
  operationalVoidMs: 5,
  servingMs: 6,
  crashes: 7,
  inferences: 8,
  failures: 9,
  fallbacks: 10,
  /** Serving time of device hours in which a runner of the same release crashed. */
  servingVoidMs: 11,
  shadowCompared: 12,
  shadowAgreed: 13,
  degraded: 14,
  refused: 15,
  /** Processor time of inference. */
  cpuMs: 16,
  /** Millijoules of inference where they are known, the inferences they are of, and the part that was modelled. */
  energyMj: 17,
  energyInferences: 18,
  modelledMj: 19,
} as const;

export const LATENCY_AT = 20;
export const LATENCY_BINS = LATENCY_EDGES_MS.length + 1;
export const CONFIDENCE_AT = LATENCY_AT + LATENCY_BINS;
export const CONFIDENCE_BINS = CONFIDENCE_EDGES.length + 1;
/** All before this place are plain sums. */
export const VITALS_AT = CONFIDENCE_AT + CONFIDENCE_BINS;

/** Vitals in the order of their places. `scale`: to how many parts of the unit they are kept exactly. */
export const VITALS = [
  { name: "agentRss", scale: 1 },
  { name: "runnerRss", scale: 1 },
  { name: "loadPerCore", scale: 1000 },
  { name: "freeMemoryMiB", scale: 1 },
  { name: "freeDiskMiB", scale: 1 },
  { name: "temperatureC", scale: 10 },
  { name: "outboxBytes", scale: 1 },
  { name: "watts", scale: 100 },
] as const;

/** Places within a vital. */
export const VITAL = { count: 0, sum: 1, min: 2, max: 3, last: 4 } as const;
export const VITAL_PLACES = 5;

export const SUMS_LENGTH = VITALS_AT + VITALS.length * VITAL_PLACES;

export const noSums = (): Sums => new Float64Array(SUMS_LENGTH);

/** Adds one reading of a vital. @param index its place in `VITALS` */
export function addReading(sums: Sums, index: number, reading: number): void {
  const { scale } = VITALS[index]!;
  const value = Math.round(reading * scale) / scale;
  const at = VITALS_AT + index * VITAL_PLACES;
  const count = sums[at]!;
  sums[at + VITAL.min] = count === 0 ? value : Math.min(sums[at + VITAL.min]!, value);
  sums[at + VITAL.max] = count === 0 ? value : Math.max(sums[at + VITAL.max]!, value);
  sums[at] = count + 1;
  sums[at + VITAL.sum]! += value;
  sums[at + VITAL.last] = value;
}

/** As `mergeSums` without the vitals. */
export function mergePlainSums(into: Sums, from: Sums): void {
  for (let place = 0; place < VITALS_AT; place += 1) into[place]! += from[place]!;
}

/** Adds `from` to `into`; `from` is the newer one. */
export function mergeSums(into: Sums, from: Sums): void {
  mergePlainSums(into, from);
  for (let at = VITALS_AT; at < SUMS_LENGTH; at += VITAL_PLACES) {
    if (from[at] === 0) continue;
    const known = into[at]! > 0;
    into[at + VITAL.min] = known
      ? Math.min(into[at + VITAL.min]!, from[at + VITAL.min]!)
      : from[at + VITAL.min]!;
    into[at + VITAL.max] = known
      ? Math.max(into[at + VITAL.max]!, from[at + VITAL.max]!)
      : from[at + VITAL.max]!;
    into[at]! += from[at]!;
    into[at + VITAL.sum]! += from[at + VITAL.sum]!;
    into[at + VITAL.last] = from[at + VITAL.last]!;
  }
}
