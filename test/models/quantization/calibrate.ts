import { encodeModel, type Graph } from "../onnx/graph.ts";
import { LoadedModel } from "../runtime.ts";

/** Smallest and largest number that a value took. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Runs the float model over calibration data, inputs of shape `dims`, and reports the range of each value. */
export async function calibrate(
  graph: Graph,
  values: readonly string[],
  data: Float32Array,
  dims: readonly number[],
): Promise<ReadonlyMap<string, Range>> {
  const taps = values.map((name) => ({ name, type: "float32" as const }));
  const tapped = { ...graph, outputs: [...graph.outputs, ...taps] };
  const model = await LoadedModel.load(encodeModel(tapped), dims);
  const ranges = new Map<string, Range>();
  try {
    await model.each(data, (outputs) => {
      for (const name of values) {
        let { min, max } = ranges.get(name) ?? { min: 0, max: 0 };
        for (const value of outputs[name]!.data as Float32Array) {
          if (value < min) min = value;
          if (value > max) max = value;
        }
        ranges.set(name, { min, max });
      }
    });
  } finally {
    await model.close();
  }
  return ranges;
}
