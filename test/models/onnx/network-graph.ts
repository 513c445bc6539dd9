import type { Convolution } from "../training/convolution.ts";
import type { Network, NetworkLayer } from "../training/network.ts";
import type { Graph, GraphNode } from "./graph.ts";
import { type ConstantTensor, floats, scalar } from "./tensor.ts";

/** Names and input shape of a model as its callers see them. */
export interface ModelInterface {
  readonly input: string;
  /** Without the batch dimension. */
  readonly dims: readonly number[];
  readonly output: string;
}

/** Symbolic first dimension of every input and output. */
const BATCH = "N";

/** The network's present weights as a float32 graph that ends in a softmax over the classes. */
export function networkGraph(network: Network, face: ModelInterface, name: string): Graph {
  const constants: ConstantTensor[] = [
    scalar("input_offset", network.plan.offset),
    scalar("input_scale", network.plan.scale),
  ];
  const nodes: GraphNode[] = [
    { op: "Sub", inputs: [face.input, "input_offset"], outputs: ["centered"] },
    { op: "Mul", inputs: ["centered", "input_scale"], outputs: ["scaled"] },
  ];
  let value = "scaled";
  const add = (op: string, output: string, extra: Partial<GraphNode> = {}): void => {
    nodes.push({ op, inputs: [value], outputs: [output], ...extra });
    value = output;
  };
  for (const [index, layer] of network.layers.entries()) {
    if (layer.kind === "relu") add("Relu", `relu_${index}`);
    else if (layer.kind === "flatten") add("Flatten", `flat_${index}`);
    else if (layer.kind === "global-average-pool") {
      add("GlobalAveragePool", `pooled_${index}`);
      add("Flatten", `flat_${index}`);
    } else {
      const { op, attributes, weightDims } = linearOperator(layer, network.plan.height === 1);
      const [weights, bias] = [`weights_${index}`, `bias_${index}`];
      constants.push(floats(weights, weightDims, layer.weights.value.slice()));
      constants.push(floats(bias, [layer.options.filters], layer.bias.value.slice()));
      add(op, isLast(network, layer) ? "logits" : `linear_${index}`, {
        inputs: [value, weights, bias],
        attributes,
      });
    }
  }
  add("Softmax", face.output, { attributes: { axis: { int: -1 } } });
  return {
    name,
    nodes,
    constants,
    inputs: [{ name: face.input, type: "float32", dims: [BATCH, ...face.dims] }],
    outputs: [{ name: face.output, type: "float32", dims: [BATCH, network.output.channels] }],
  };
}

const isLast = (network: Network, layer: NetworkLayer): boolean => network.layers.at(-1) === layer;

/** A convolution of one position is a dense layer; one of height 1 is written with one spatial axis. */
function linearOperator(
  layer: Convolution,
  oneAxis: boolean,
): Required<Pick<GraphNode, "op" | "attributes">> & { readonly weightDims: readonly number[] } {
  const { filters, kernel, stride, padding } = layer.options;
  const { channels, height, width } = layer.input;
  if (height * width === 1) {
    return { op: "Gemm", attributes: { transB: { int: 1 } }, weightDims: [filters, channels] };
  }
  const axes = (extent: readonly [number, number]): number[] => (oneAxis ? [extent[1]] : [...extent]);
  return {
    op: "Conv",
    attributes: {
      kernel_shape: { ints: axes(kernel) },
      strides: { ints: axes(stride) },
      pads: { ints: [...axes(padding), ...axes(padding)] },
    },
    weightDims: [filters, channels, ...axes(kernel)],
  };
}
