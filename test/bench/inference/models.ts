import type { GoldenSet } from "@muster/shared/protocol/model-evidence";
import { encodeModel, type Graph } from "../../models/onnx/graph.ts";
import { networkGraph } from "../../models/onnx/network-graph.ts";
import { quantize } from "../../models/quantization/qdq.ts";
import { LoadedModel } from "../../models/runtime.ts";
import { Network, type NetworkPlan } from "../../models/training/network.ts";
import { gaussian, seededRandom } from "../../models/training/random.ts";

/** A model that is only as good as its seed: what is measured here is how fast it is served. */
export interface BenchModel {
  readonly name: string;
  /** Without the batch dimension. */
  readonly dims: readonly number[];
  readonly precision: "int8" | "fp32";
  readonly bytes: Uint8Array;
  /** Rows that lie one after the other. */
  readonly rows: readonly Float32Array[];
  readonly golden: GoldenSet["cases"];
}

interface Plan {
  readonly name: string;
  readonly network: NetworkPlan;
}

const conv = (filters: number, stride: number) =>
  ({ layer: "convolution", filters, kernel: [3, 3], stride: [stride, stride] }) as const;

/** Five convolutions over 110 KiB of picture: some 0.6 ms in int8 on a core of a server. */
export const CONV: Plan = {
  name: "conv",
  network: {
    height: 144,
    width: 192,
    offset: 0,
    scale: 1,
    layers: [
      conv(24, 2),
      conv(48, 2),
      conv(96, 1),
      conv(96, 2),
      conv(128, 1),
      { layer: "global-average-pool" },
      { layer: "dense", units: 10 },
    ],
  },
};

/** 64 numbers in, four classes out: everything but the model is the cost. */
export const TINY: Plan = {
  name: "tiny",
  network: {
    height: 1,
    width: 64,
    offset: 0,
    scale: 1,
    layers: [{ layer: "flatten" }, { layer: "dense", units: 32 }, { layer: "dense", units: 4 }],
  },
};

/** 1.3 million weights: memory bandwidth is the cost. */
export const WIDE: Plan = {
  name: "wide",
  network: {
    height: 1,
    width: 256,
    offset: 0,
    scale: 1,
    layers: [
      { layer: "flatten" },
      { layer: "dense", units: 1024 },
      { layer: "dense", units: 1024 },
      { layer: "dense", units: 10 },
    ],
  },
};

const ROWS = 64;
const SEED = 7;

/** Both precisions of a plan over the same inputs. */
export async function buildModel({
  name,
  network: plan,
}: Plan): Promise<{ int8: BenchModel; fp32: BenchModel }> {
  const random = seededRandom(SEED);
  const dims = plan.height === 1 ? [1, plan.width] : [1, plan.height, plan.width];
  const network = new Network(plan, random);
  const float = networkGraph(network, { input: "x", dims, output: "scores" }, name);
  const width = plan.height * plan.width;
  const rows = Array.from({ length: ROWS }, () =>
    Float32Array.from({ length: width }, () => gaussian(random)),
  );
  const calibration = new Float32Array(ROWS * width);
  for (const [index, row] of rows.entries()) calibration.set(row, index * width);
  const integer = await quantize(float, calibration, dims);
  return {
    int8: await finish(name, "int8", integer, dims, rows),
    fp32: await finish(name, "fp32", float, dims, rows),
  };
}

async function finish(
  name: string,
  precision: BenchModel["precision"],
  graph: Graph,
  dims: readonly number[],
  rows: readonly Float32Array[],
): Promise<BenchModel> {
  const bytes = encodeModel(graph);
  const model = await LoadedModel.load(bytes, dims);
  const [first] = rows;
  if (!first) throw new Error("there are no rows");
  const scores = await model.run(first);
  await model.close();
  const golden = [
    {
      inputs: [{ name: "x", datatype: "FP32", shape: [1, ...dims], data: [...first] }],
      outputs: [{ name: "scores", datatype: "FP32", shape: [1, scores.length], data: [...scores] }],
    },
  ];
  return { name: `${name}-${precision}`, dims, precision, bytes, rows, golden };
}
