import type { GoldenSet } from "@muster/shared/protocol/model-evidence";
import type { ModelInterface } from "../onnx/network-graph.ts";
import type { LoadedModel } from "../runtime.ts";
import type { Sample } from "../training/train.ts";
import { argMax } from "./features.ts";

/**
 * How far an output probability may be from the recorded one. Float kernels of other CPUs add in another
 * order; an int8 activation may fall on the other side of a rounding step and move a probability by some
 * hundredths.
 */
const TOLERANCE = {
  fp32: { absolute: 0.002, relative: 0 },
  int8: { absolute: 0.05, relative: 0 },
} as const;

/** Gap between the two largest probabilities that keeps the class the same within the widest tolerance. */
const CLEAR_MARGIN = 0.15;

/** Records what `model` answers for the first `count` samples that it decides clearly, one inference each. */
export async function goldenSet(
  model: LoadedModel,
  face: ModelInterface,
  precision: keyof typeof TOLERANCE,
  candidates: readonly Sample[],
  count: number,
): Promise<GoldenSet> {
  const cases: GoldenSet["cases"] = [];
  for (const { data } of candidates) {
    if (cases.length === count) break;
    const probabilities = await model.run(data);
    const best = probabilities[argMax(probabilities)]!;
    const second = probabilities.toSorted().at(-2)!;
    if (best - second < CLEAR_MARGIN) continue;
    cases.push({
      inputs: [{ name: face.input, datatype: "FP32", shape: [1, ...face.dims], data: shortNumbers(data) }],
      outputs: [
        {
          name: face.output,
          datatype: "FP32",
          shape: [1, probabilities.length],
          data: shortNumbers(probabilities),
        },
      ],
    });
  }
  return { schema: "muster.golden/1", tolerance: TOLERANCE[precision], minAgreement: 1, cases };
}

/** The shortest decimals that read back as the same float32. */
const shortNumbers = (data: Float32Array): number[] =>
  Array.from(data, (value) => {
    for (let digits = 3; digits < 9; digits++) {
      const short = Number(value.toPrecision(digits));
      if (Math.fround(short) === value) return short;
    }
    return value;
  });
