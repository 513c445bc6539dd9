import { MAX_WINDOW_BYTES } from "@muster/shared/protocol/drift-limits";
import type { Histogram, ReferenceSet } from "@muster/shared/protocol/model-evidence";
import { EffectiveSize } from "@muster/shared/stats/effective-size";

/** Bytes that a count takes in JSON at most, in a window of a million samples. */
const BYTES_PER_COUNT = 8;
/** Bytes of a window beside its features. */
const ENVELOPE_BYTES = 4 * 1024;

const INPUT_SCALARS = ["mean", "std"] as const;
const OUTPUT_SCALARS = ["confidence", "entropy", "class"] as const;

/** Counts over the bins of one feature of the reference. A bin holds its lower edge and not its upper one. */
export class FeatureBins {
  readonly feature: string;
  readonly #edges: Float64Array;
  readonly #counts: Uint32Array;
  readonly #size = new EffectiveSize();

  constructor(feature: string, { edges }: Histogram) {
    this.feature = feature;
    this.#edges = Float64Array.from(edges);
    this.#counts = new Uint32Array(edges.length + 1);
  }

  /** Counts a finite value; others are counted elsewhere. */
  add(value: number): void {
    const edges = this.#edges;
    let low = 0;
    let high = edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value < edges[middle]!) high = middle;
      else low = middle + 1;
    }
    this.#counts[low]! += 1;
    this.#size.add(low);
  }

  /** Counts since the last call, and how many independent values they are worth. */
  take(): { counts: number[]; effective: number } {
    const counts = [...this.#counts];
    this.#counts.fill(0);
    return { counts, effective: this.#size.take(counts) };
  }
}

/** Bins of a tensor's scalars that the reference knows. */
export type ScalarBins<S extends string> = Partial<Record<S, FeatureBins>>;

export interface FeaturePlan {
  readonly inputs: ReadonlyMap<string, ScalarBins<(typeof INPUT_SCALARS)[number]>>;
  readonly outputs: ReadonlyMap<string, ScalarBins<(typeof OUTPUT_SCALARS)[number]>>;
  readonly bins: readonly FeatureBins[];
  /** Features of the reference that this model has no tensor for, or that do not fit a window. */
  readonly ignored: readonly string[];
}

/** What of a reference set can be monitored on a model with these tensors. */
export function planFeatures(
  { features }: ReferenceSet,
  inputs: readonly string[],
  outputs: readonly string[],
): FeaturePlan {
  const known = {
    input: scalarsOf("input", inputs, INPUT_SCALARS),
    output: scalarsOf("output", outputs, OUTPUT_SCALARS),
  };
  const plan = { inputs: new Map(), outputs: new Map(), bins: [] as FeatureBins[], ignored: [] as string[] };
  let room = MAX_WINDOW_BYTES - ENVELOPE_BYTES;
  for (const [feature, histogram] of Object.entries(features)) {
    const input = known.input.get(feature);
    const place = input ?? known.output.get(feature);
    // The name comes with its counts and with their worth.
    const name = 2 * Buffer.byteLength(JSON.stringify(feature)) + 2 * BYTES_PER_COUNT;
    const bytes = name + histogram.counts.length * BYTES_PER_COUNT;
    if (!place || bytes > room) {
      plan.ignored.push(feature);
      continue;
    }
    room -= bytes;
    const bins = new FeatureBins(feature, histogram);
    plan.bins.push(bins);
    const tensors = input ? plan.inputs : plan.outputs;
    tensors.set(place.tensor, { ...tensors.get(place.tensor), [place.scalar]: bins });
  }
  return plan;
}

function scalarsOf(
  side: string,
  tensors: readonly string[],
  scalars: readonly string[],
): Map<string, { tensor: string; scalar: string }> {
  return new Map(
    tensors.flatMap((tensor) =>
      scalars.map((scalar) => [`${side}:${tensor}:${scalar}`, { tensor, scalar }] as const),
    ),
  );
}
