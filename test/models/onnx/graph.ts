import { ProtobufMessage } from "./protobuf.ts";
import { type ConstantTensor, type ElementType, elementTypeNumber, encodeTensor } from "./tensor.ts";

type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly tensor: ConstantTensor }
  | { readonly graph: Graph };

export interface GraphNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** An input or output of a graph; a text dimension is symbolic, the same text meaning the same size. */
interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  /** Absent when even the number of dimensions is left open, as an output may. */
  readonly dims?: readonly (number | string)[];
}

/** Nodes stand in an order in which every value is made before it is used. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly ConstantTensor[];
  /** Default 17. */
  readonly opset?: number;
}

/** Opset 17 and IR 8: what every ONNX Runtime since 1.12 loads. */
const OPSET = 17;
const IR_VERSION = 8;

/** The opset that brought 4-bit integers asks for this IR. */
const OPSET_OF_INT4 = 21;
const IR_VERSION_OF_INT4 = 10;

/** The bytes of an ONNX file (`ModelProto`). `metadata` becomes its `metadata_props`, in key order given. */
export function encodeModel(graph: Graph, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const { opset = OPSET } = graph;
  const model = new ProtobufMessage()
    .integer(1, opset >= OPSET_OF_INT4 ? IR_VERSION_OF_INT4 : IR_VERSION)
    .text(2, "muster")
    .message(7, encodeGraph(graph))
    .message(8, new ProtobufMessage().text(1, "").integer(2, opset));
  for (const [key, value] of Object.entries(metadata)) {
    model.message(14, new ProtobufMessage().text(1, key).text(2, value));
  }
  return model.encode();
}

function encodeGraph(graph: Graph): ProtobufMessage {
  const message = new ProtobufMessage();
  for (const [index, node] of graph.nodes.entries()) message.message(1, encodeNode(node, index));
  message.text(2, graph.name);
  for (const constant of graph.constants) message.message(5, encodeTensor(constant));
  for (const input of graph.inputs) message.message(11, encodeValue(input));
  for (const output of graph.outputs) message.message(12, encodeValue(output));
  return message;
}

function encodeNode(node: GraphNode, index: number): ProtobufMessage {
  const message = new ProtobufMessage();
  for (const input of node.inputs) message.text(1, input);
  for (const output of node.outputs) message.text(2, output);
  message.text(3, `${node.op}_${index}`).text(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes ?? {})) {
    message.message(5, encodeAttribute(name, attribute));
  }
  return message;
}

/** Field 20 is `AttributeProto.type`: FLOAT 1, INT 2, TENSOR 4, GRAPH 5, INTS 7. */
function encodeAttribute(name: string, attribute: Attribute): ProtobufMessage {
  const message = new ProtobufMessage().text(1, name);
  if ("float" in attribute) return message.float(2, attribute.float).integer(20, 1);
  if ("int" in attribute) return message.integer(3, attribute.int).integer(20, 2);
  if ("tensor" in attribute) return message.message(5, encodeTensor(attribute.tensor)).integer(20, 4);
  if ("graph" in attribute) return message.message(6, encodeGraph(attribute.graph)).integer(20, 5);
  for (const value of attribute.ints) message.integer(8, value);
  return message.integer(20, 7);
}

function encodeValue(value: ValueInfo): ProtobufMessage {
  const tensor = new ProtobufMessage().integer(1, elementTypeNumber(value.type));
  if (value.dims) {
    const shape = new ProtobufMessage();
    for (const dim of value.dims) {
      const dimension = new ProtobufMessage();
      shape.message(1, typeof dim === "number" ? dimension.integer(1, dim) : dimension.text(2, dim));
    }
    tensor.message(2, shape);
  }
  return new ProtobufMessage().text(1, value.name).message(2, new ProtobufMessage().message(1, tensor));
}
