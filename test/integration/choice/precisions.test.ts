import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DEFAULT_MEASURE_LIMITS, measureInChild } from "@muster/agent/choice/measure";
import { encodeModel, type Graph } from "../../models/onnx/graph.ts";
import { type ConstantTensor, floats } from "../../models/onnx/tensor.ts";
import { seededRandom } from "../../models/training/random.ts";
import { BenchBox, GOLDEN } from "../runner/bench-box.ts";
import { ELEMENT, identity } from "../runner/models.ts";

const IN = 64;
const OUT = 8;
const BLOCK = 16;

/** The runtime multiplies 4-bit and 8-bit weights with inputs of 8 bits, whatever the graph says of them. */
const TOLERANCE = 0.1;

let box: BenchBox;
before(async () => {
  box = await BenchBox.create();
});
after(() => box.close());

const random = seededRandom(4);
const draw = (count: number): Float32Array => Float32Array.from({ length: count }, () => random() * 2 - 1);
const input = draw(IN);

/** `y = x * weights`, row-major `[IN, OUT]`. */
const product = (weights: ArrayLike<number>): number[] =>
  Array.from({ length: OUT }, (_, column) =>
    input.reduce((sum, value, row) => sum + value * weights[row * OUT + column]!, 0),
  );

const model = (opset: number, constants: ConstantTensor[], nodes: Graph["nodes"]): Uint8Array =>
  encodeModel({
    name: "product",
    opset,
    inputs: [{ name: "x", type: "float32", dims: ["batch", IN] }],
    outputs: [{ name: "y", type: "float32", dims: ["batch", OUT] }],
    constants,
    nodes: [...nodes, { op: "MatMul", inputs: ["x", "weights"], outputs: ["y"] }],
  });

/** 4-bit weights, a scale for each block of rows of a column. */
function int4(): { bytes: Uint8Array; weights: number[] } {
  const levels = Array.from({ length: IN * OUT }, () => Math.floor(random() * 16) - 8);
  const scales = draw((IN / BLOCK) * OUT).map((value) => Math.abs(value) / 8 + 0.01);
  const packed = Uint8Array.from(
    { length: levels.length / 2 },
    (_, pair) => (levels[pair * 2]! & 15) | ((levels[pair * 2 + 1]! & 15) << 4),
  );
  const weights = levels.map((level, index) => {
    const [row, column] = [Math.floor(index / OUT), index % OUT];
    return level * scales[Math.floor(row / BLOCK) * OUT + column]!;
  });
  const constants: ConstantTensor[] = [
    { name: "levels", type: "int4", dims: [IN, OUT], data: packed },
    floats("scales", [IN / BLOCK, OUT], scales),
  ];
  const attributes = { axis: { int: 0 }, block_size: { int: BLOCK } };
  const nodes = [{ op: "DequantizeLinear", inputs: ["levels", "scales"], outputs: ["weights"], attributes }];
  return { bytes: model(21, constants, nodes), weights };
}

/** Weights that are small powers of two, which half floats hold exactly. */
function fp16(): { bytes: Uint8Array; weights: number[] } {
  const exponents = Array.from({ length: IN * OUT }, () => Math.floor(random() * 6));
  const bits = Uint16Array.from(exponents, (exponent) => (15 - exponent) << 10);
  const constants: ConstantTensor[] = [{ name: "half", type: "float16", dims: [IN, OUT], data: bits }];
  const nodes = [{ op: "Cast", inputs: ["half"], outputs: ["weights"], attributes: { to: { int: 1 } } }];
  return { bytes: model(17, constants, nodes), weights: exponents.map((exponent) => 2 ** -exponent) };
}

function bytesOf(type: "int8" | "uint8"): { bytes: Uint8Array; weights: number[] } {
  const levels = Array.from({ length: IN * OUT }, () => Math.floor(random() * 256) - 128);
  const zero = type === "uint8" ? 128 : 0;
  const data = type === "uint8" ? Uint8Array.from(levels, (level) => level + zero) : Int8Array.from(levels);
  const offset = type === "uint8" ? Uint8Array.of(zero) : Int8Array.of(zero);
  const constants: ConstantTensor[] = [
    { name: "levels", type, dims: [IN, OUT], data },
    floats("scale", [], Float32Array.of(1 / 64)),
    { name: "zero", type, dims: [], data: offset },
  ];
  const nodes = [{ op: "DequantizeLinear", inputs: ["levels", "scale", "zero"], outputs: ["weights"] }];
  return { bytes: model(17, constants, nodes), weights: levels.map((level) => level / 64) };
}

const BUILDS = { int4, fp16, int8: () => bytesOf("int8"), uint8: () => bytesOf("uint8") };

for (const [precision, build] of Object.entries(BUILDS))
  test(`a model with ${precision} weights loads, proves its golden outputs and answers`, async () => {
    const { bytes, weights } = build();
    const want = product(weights);
    const golden = [
      {
        inputs: [{ name: "x", datatype: "FP32", shape: [1, IN], data: [...input] }],
        outputs: [{ name: "y", datatype: "FP32", shape: [1, OUT], data: want }],
      },
    ];
    const tolerance = { absolute: TOLERANCE, relative: 0 };
    const set = { schema: "muster.golden/1", tolerance, minAgreement: 1, cases: golden };
    const deployment = await box.model(precision, bytes, golden, { golden: JSON.stringify(set) });
    await box.serve([deployment]);
    const response = await fetch(`${box.url}/v2/models/${precision}/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs: golden[0]!.inputs }),
    });
    const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
    for (const [index, value] of want.entries())
      assert.ok(
        Math.abs(outputs[0]!.data[index]! - value) < TOLERANCE,
        `${outputs[0]!.data[index]} for ${value}`,
      );
    const limits = { ...DEFAULT_MEASURE_LIMITS, benchMs: 20 };
    const measurement = await measureInChild(deployment, limits, new AbortController().signal);
    assert.ok("measured" in measurement && measurement.measured.agreement === 1);
  });

test("half floats as inputs and outputs are proven by golden sets too", async () => {
  const numbers = [1, -2.5, 0.0999755859375, 65_504];
  const golden = GOLDEN.identity("FP16", [4], numbers);
  const bytes = identity(ELEMENT.float16, [4]);
  const limits = { ...DEFAULT_MEASURE_LIMITS, benchMs: 20 };
  const measure = async (cases: typeof golden) =>
    measureInChild(await box.model("half", bytes, cases), limits, new AbortController().signal);
  const right = await measure(golden);
  assert.ok("measured" in right && right.measured.agreement === 1, JSON.stringify(right));
  const other = golden.map((each) => ({
    ...each,
    outputs: [{ ...each.outputs[0]!, data: [1, -2.5, 0.2, 65_504] }],
  }));
  const wrong = await measure(other);
  assert.ok("failure" in wrong && wrong.failure.code === "model.golden-mismatch");
});
