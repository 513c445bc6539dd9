import type { Graph, GraphNode } from "../onnx/graph.ts";
import { type ConstantTensor, floats, scalar } from "../onnx/tensor.ts";
import { calibrate, type Range } from "./calibrate.ts";

/**
 * Weights use 7 of their 8 bits: on x64 without VNNI the u8 x s8 product adds pairs in 16 bits, and
 * 2 * 255 * 63 still fits. Every CPU then computes the same outputs, so golden outputs hold across a fleet.
 */
const WEIGHT_LIMIT = 63;
const ACTIVATION_LEVELS = 255;

const LINEAR = new Set(["Conv", "Gemm"]);
/** Their output holds numbers of their input, so it takes the input's scale and ONNX Runtime drops the pair. */
const PASS_THROUGH = new Set(["Flatten"]);

interface ActivationScale {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * Post-training quantization into QuantizeLinear/DequantizeLinear form: uint8 asymmetric activations by the
 * range over calibration inputs of shape `dims`, int8 symmetric weights per output channel, int32 biases. The
 * logits stay float32.
 */
export async function quantize(
  graph: Graph,
  calibration: Float32Array,
  dims: readonly number[],
): Promise<Graph> {
  const values = quantizedValues(graph);
  const measured = values.filter((value) => !PASS_THROUGH.has(producer(graph, value).op));
  const ranges = await calibrate(graph, measured, calibration, dims);
  const scales = activationScales(graph, values, ranges);
  const nodes: GraphNode[] = [];
  const constants = graph.constants.filter((constant) => !/^(weights|bias)_/.test(constant.name));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (scales.has(input) ? `${input}_dequantized` : input));
    if (LINEAR.has(node.op)) {
      const parameters = quantizeLinear(graph, node, scales.get(node.inputs[0]!)!.scale);
      nodes.push(...parameters.nodes);
      constants.push(...parameters.constants);
      nodes.push({ ...node, inputs: [inputs[0]!, ...parameters.outputs] });
    } else nodes.push({ ...node, inputs });
    for (const output of node.outputs) {
      const scale = scales.get(output);
      if (!scale) continue;
      constants.push(scalar(`${output}_scale`, scale.scale), {
        name: `${output}_zero`,
        type: "uint8",
        dims: [],
        data: Uint8Array.of(scale.zeroPoint),
      });
      nodes.push(...quantizePair(output));
    }
  }
  return { ...graph, nodes, constants };
}

/** Every value that a linear operator or a pass-through reads. */
function quantizedValues(graph: Graph): string[] {
  const reads = graph.nodes.filter(
    (node) => LINEAR.has(node.op) || PASS_THROUGH.has(node.op) || /Pool$/.test(node.op),
  );
  return reads.map((node) => node.inputs[0]!);
}

const producer = (graph: Graph, value: string): GraphNode =>
  graph.nodes.find((node) => node.outputs.includes(value))!;

function activationScales(
  graph: Graph,
  values: readonly string[],
  ranges: ReadonlyMap<string, Range>,
): Map<string, ActivationScale> {
  const scales = new Map<string, ActivationScale>();
  for (const value of values) {
    const range = ranges.get(value);
    scales.set(value, range ? activationScale(range) : scales.get(producer(graph, value).inputs[0]!)!);
  }
  return scales;
}

function activationScale({ min, max }: Range): ActivationScale {
  const scale = Math.fround((max - min) / ACTIVATION_LEVELS) || 1;
  return { scale, zeroPoint: Math.round(-min / scale) };
}

const quantizePair = (value: string): GraphNode[] => [
  {
    op: "QuantizeLinear",
    inputs: [value, `${value}_scale`, `${value}_zero`],
    outputs: [`${value}_quantized`],
  },
  {
    op: "DequantizeLinear",
    inputs: [`${value}_quantized`, `${value}_scale`, `${value}_zero`],
    outputs: [`${value}_dequantized`],
  },
];

/** Weights and bias of a linear operator as dequantized constants; the bias scale is input times weight scale. */
function quantizeLinear(
  graph: Graph,
  node: GraphNode,
  inputScale: number,
): { nodes: GraphNode[]; constants: ConstantTensor[]; outputs: string[] } {
  const [weights, bias] = node.inputs.slice(1).map((name) => graph.constants.find((c) => c.name === name)!);
  const channels = weights!.dims[0]!;
  const fanIn = weights!.data.length / channels;
  const weightScale = new Float32Array(channels);
  const biasScale = new Float32Array(channels);
  const quantizedWeights = new Int8Array(weights!.data.length);
  const quantizedBias = new Int32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const row = (weights!.data as Float32Array).subarray(channel * fanIn, (channel + 1) * fanIn);
    weightScale[channel] = row.reduce((peak, value) => Math.max(peak, Math.abs(value)), 1e-6) / WEIGHT_LIMIT;
    biasScale[channel] = weightScale[channel]! * inputScale;
    for (const [i, value] of row.entries()) {
      quantizedWeights[channel * fanIn + i] = Math.round(value / weightScale[channel]!);
    }
    quantizedBias[channel] = Math.round(Number(bias!.data[channel]) / biasScale[channel]!);
  }
  const dequantize = (name: string): GraphNode => ({
    op: "DequantizeLinear",
    inputs: [name, `${name}_scale`, `${name}_zero`],
    outputs: [`${name}_dequantized`],
    attributes: { axis: { int: 0 } },
  });
  const [weightsName, biasName] = [weights!.name, bias!.name];
  return {
    nodes: [dequantize(weightsName), dequantize(biasName)],
    constants: [
      { name: weightsName, type: "int8", dims: weights!.dims, data: quantizedWeights },
      floats(`${weightsName}_scale`, [channels], weightScale),
      { name: `${weightsName}_zero`, type: "int8", dims: [channels], data: new Int8Array(channels) },
      { name: biasName, type: "int32", dims: [channels], data: quantizedBias },
      floats(`${biasName}_scale`, [channels], biasScale),
      { name: `${biasName}_zero`, type: "int32", dims: [channels], data: new Int32Array(channels) },
    ],
    outputs: [`${weightsName}_dequantized`, `${biasName}_dequantized`],
  };
}
