import { EffectiveSize } from "@muster/shared/stats/effective-size";
import { Random } from "../false-alarms/random.ts";

/** One feature of a reference set: values in bins of equal share of its own sample, as references are made. */
export interface Reference {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/** What live values look like beside the reference's N(0, 1). */
export interface Stream {
  /** Shift of the mean, in standard deviations. */
  readonly shift: number;
  /** Correlation of a value with the one before it: frames of a camera resemble each other. */
  readonly correlation: number;
}

export const SAME: Stream = { shift: 0, correlation: 0 };

export function drawReference(random: Random, bins: number, samples: number): Reference {
  const values = Float64Array.from({ length: samples }, () => random.normal()).sort();
  const edges = Array.from(
    { length: bins - 1 },
    (_, edge) => values[Math.floor(((edge + 1) * samples) / bins)]!,
  );
  return { edges, counts: countsOf(edges, values) };
}

/** One feature in one window. */
export interface Window {
  readonly counts: readonly number[];
  readonly effective: number;
}

export function drawWindow(random: Random, { edges }: Reference, samples: number, stream: Stream): Window {
  const { shift, correlation } = stream;
  const fresh = Math.sqrt(1 - correlation * correlation);
  const values = new Float64Array(samples);
  let state = random.normal();
  for (let index = 0; index < samples; index += 1) {
    state = correlation * state + fresh * random.normal();
    values[index] = state + shift;
  }
  const size = new EffectiveSize();
  const counts = countsOf(edges, values, (bin) => size.add(bin));
  return { counts, effective: size.take(counts) };
}

function countsOf(
  edges: readonly number[],
  values: Float64Array,
  each = (_bin: number): void => {},
): number[] {
  const counts = new Array<number>(edges.length + 1).fill(0);
  for (const value of values) {
    let low = 0;
    let high = edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value < edges[middle]!) high = middle;
      else low = middle + 1;
    }
    counts[low]! += 1;
    each(low);
  }
  return counts;
}

export const seeded = (seed: number): Random => new Random(seed);
