import type { Histogram, ReferenceSet } from "@muster/shared/protocol/model-evidence";
import type { ModelInterface } from "../onnx/network-graph.ts";
import { featuresOf } from "./features.ts";

/** Bins of about equal share, the best use of a fixed number of them for a drift test. */
const BINS = 15;
/** Coarse enough that the last bits of another CPU's arithmetic move no crowd of near-certain answers. */
const EDGE_DECIMALS = 3;

/** Reference distributions of one variant from its own outputs over `inputs` (rows of equal width). */
export function referenceSet(
  face: ModelInterface,
  inputs: Float32Array,
  outputs: Float32Array,
  classes: number,
  accuracy: number,
): ReferenceSet {
  const samples = outputs.length / classes;
  const width = inputs.length / samples;
  const rows = Array.from({ length: samples }, (_, row) =>
    featuresOf(
      inputs.subarray(row * width, (row + 1) * width),
      outputs.subarray(row * classes, (row + 1) * classes),
    ),
  );
  const quantiles = (feature: "mean" | "std" | "confidence" | "entropy"): Histogram => {
    const values = rows.map((row) => row[feature]);
    return histogram(values, quantileEdges(values));
  };
  const halves = Array.from({ length: classes - 1 }, (_, index) => index + 0.5);
  return {
    schema: "muster.reference/1",
    samples,
    accuracy,
    features: {
      [`input:${face.input}:mean`]: quantiles("mean"),
      [`input:${face.input}:std`]: quantiles("std"),
      [`output:${face.output}:confidence`]: quantiles("confidence"),
      [`output:${face.output}:entropy`]: quantiles("entropy"),
      [`output:${face.output}:class`]: histogram(
        rows.map((row) => row.class),
        halves,
      ),
    },
  };
}

function quantileEdges(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  const edges = Array.from({ length: BINS - 1 }, (_, index) =>
    Number(sorted[Math.floor(((index + 1) * sorted.length) / BINS)]!.toFixed(EDGE_DECIMALS)),
  );
  return [...new Set(edges)];
}

function histogram(values: readonly number[], edges: readonly number[]): Histogram {
  const counts = new Array<number>(edges.length + 1).fill(0);
  for (const value of values) {
    const above = edges.findIndex((edge) => value < edge);
    counts[above === -1 ? edges.length : above]! += 1;
  }
  return { edges: [...edges], counts };
}
