import type { Call, Inferred } from "@muster/agent/runner/infer";
import { planFeatures } from "@muster/agent/runner/monitoring/feature-bins";
import { ModelMonitor } from "@muster/agent/runner/monitoring/model-monitor";
import type { TensorValue } from "@muster/agent/runner/tensors/datatypes";
import { median } from "../figures.ts";
import { seeded } from "./world.ts";

const CLASSES = 6;
const EDGES = Array.from({ length: 14 }, (_, edge) => edge / 14);
const BATCH = 2_000;

/** Median time of one observation of a request with this input, microseconds. */
export function observationUs(shape: readonly number[], rounds: number): number {
  const random = seeded(1);
  const length = shape.reduce((product, size) => product * size, 1);
  const floats = (name: string, dims: readonly number[], data: Float32Array): TensorValue => ({
    name,
    datatype: "FP32",
    shape: dims,
    data,
  });
  const histogram = { edges: EDGES, counts: new Array<number>(EDGES.length + 1).fill(1) };
  const names = ["input:x:mean", "input:x:std", "output:y:confidence", "output:y:entropy", "output:y:class"];
  const features = Object.fromEntries(names.map((name) => [name, histogram]));
  const reference = { schema: "muster.reference/1", samples: 1000, accuracy: 1, features } as const;
  const monitor = new ModelMonitor(planFeatures(reference, ["x"], ["y"]), "y");
  const call = {
    model: { inputs: [{ name: "x", datatype: "FP32", shape: ["batch", ...shape.slice(1)] }] },
    request: {
      inputs: [
        floats(
          "x",
          shape,
          Float32Array.from({ length }, () => random.normal()),
        ),
      ],
    },
  } as unknown as Call;
  const scores = Float32Array.from({ length: CLASSES }, () => 1 / CLASSES);
  const inferred = {
    values: [floats("y", [1, CLASSES], scores)],
    verdicts: [{ ok: true, top: { index: 0, score: 1 / CLASSES } }],
  } as unknown as Inferred;
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now();
    for (let index = 0; index < BATCH; index += 1) monitor.observe(call, inferred);
    return (1000 * (performance.now() - start)) / BATCH;
  });
  return median(times);
}
