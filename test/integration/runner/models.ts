import { encodeModel, type Graph } from "../../models/onnx/graph.ts";
import { ProtobufMessage } from "../../models/onnx/protobuf.ts";
import { floats, scalar } from "../../models/onnx/tensor.ts";

const graph = (rest: Omit<Graph, "name" | "constants"> & Partial<Graph>): Uint8Array =>
  encodeModel({ name: "fixture", constants: [], ...rest });

/** `scores = Softmax(x)`, both `[batch, 4]`. `gain` other than 1 gives another model of the same shape. */
export const classifier = (gain = 1): Uint8Array =>
  graph({
    inputs: [{ name: "x", type: "float32", dims: ["batch", 4] }],
    outputs: [{ name: "scores", type: "float32", dims: ["batch", 4] }],
    nodes: [
      { op: "Mul", inputs: ["x", "gain"], outputs: ["scaled"] },
      { op: "Softmax", inputs: ["scaled"], outputs: ["scores"], attributes: { axis: { int: -1 } } },
    ],
    constants: [scalar("gain", gain)],
  });

/** Softmax over the rows of `[batch, 4]`: it looks like a batch and is none. One row gives ones. */
export const mixing = (): Uint8Array =>
  graph({
    inputs: [{ name: "x", type: "float32", dims: ["batch", 4] }],
    outputs: [{ name: "y", type: "float32", dims: ["batch", 4] }],
    nodes: [{ op: "Softmax", inputs: ["x"], outputs: ["y"], attributes: { axis: { int: 0 } } }],
  });

/** `y` is 10, 11, 12 or 13 by the index `x`; any other index fails. */
export const lookup = (): Uint8Array =>
  graph({
    inputs: [{ name: "x", type: "int64", dims: ["batch"] }],
    outputs: [{ name: "y", type: "float32", dims: ["batch"] }],
    nodes: [{ op: "Gather", inputs: ["table", "x"], outputs: ["y"] }],
    constants: [floats("table", [4], Float32Array.of(10, 11, 12, 13))],
  });

/** `sum = a + b` and `ratio = a / b` in float32 of shape `[n]`. */
export const arithmetic = (): Uint8Array =>
  graph({
    inputs: [
      { name: "a", type: "float32", dims: ["n"] },
      { name: "b", type: "float32", dims: ["n"] },
    ],
    outputs: [
      { name: "sum", type: "float32", dims: ["n"] },
      { name: "ratio", type: "float32", dims: ["n"] },
    ],
    nodes: [
      { op: "Add", inputs: ["a", "b"], outputs: ["sum"] },
      { op: "Div", inputs: ["a", "b"], outputs: ["ratio"] },
    ],
  });

/** int32 division: -2^31 by -1 traps on x64 and ends the process. */
export const trap = (): Uint8Array =>
  graph({
    inputs: [
      { name: "a", type: "int32", dims: [1] },
      { name: "b", type: "int32", dims: [1] },
    ],
    outputs: [{ name: "quotient", type: "int32", dims: [1] }],
    nodes: [{ op: "Div", inputs: ["a", "b"], outputs: ["quotient"] }],
  });

/** Some 100 ms of matrix products whose result depends on the input of one float. */
export const slow = (products: number): Uint8Array => {
  const size = 512;
  const nodes = [{ op: "Mul", inputs: ["x", "matrix"], outputs: ["p0"] }];
  for (let index = 0; index < products; index++)
    nodes.push({ op: "MatMul", inputs: [`p${index}`, "matrix"], outputs: [`p${index + 1}`] });
  return graph({
    inputs: [{ name: "x", type: "float32", dims: [1, 1] }],
    outputs: [{ name: "y", type: "float32", dims: [1, 1] }],
    nodes: [
      ...nodes,
      { op: "ReduceMean", inputs: [`p${products}`], outputs: ["y"], attributes: { keepdims: { int: 1 } } },
    ],
    constants: [floats("matrix", [size, size], new Float32Array(size * size).fill(1 / size))],
  });
};

/** Shapes of the classifier; each row costs some matrix products of `[512, 512]`. */
export const slowClassifier = (products: number): Uint8Array => {
  const size = 512;
  const nodes = [{ op: "Mul", inputs: ["gain", "matrix"], outputs: ["p0"] }];
  for (let index = 0; index < products; index++)
    nodes.push({ op: "MatMul", inputs: [`p${index}`, "matrix"], outputs: [`p${index + 1}`] });
  return graph({
    inputs: [{ name: "x", type: "float32", dims: ["batch", 4] }],
    outputs: [{ name: "scores", type: "float32", dims: ["batch", 4] }],
    nodes: [
      { op: "ReduceMean", inputs: ["x"], outputs: ["gain"], attributes: { keepdims: { int: 1 } } },
      ...nodes,
      { op: "ReduceMean", inputs: [`p${products}`], outputs: ["mean"], attributes: { keepdims: { int: 1 } } },
      { op: "Add", inputs: ["x", "mean"], outputs: ["shifted"] },
      { op: "Softmax", inputs: ["shifted"], outputs: ["scores"], attributes: { axis: { int: -1 } } },
    ],
    constants: [floats("matrix", [size, size], new Float32Array(size * size).fill(1 / size))],
  });
};

/** `[batch, 512]` to scores `[batch, 4]` through 20 layers of 512: work for each row, independent of the others. */
export const slowPerRow = (): Uint8Array => {
  const size = 512;
  const layers = 20;
  const weights = (rows: number, columns: number) =>
    Float32Array.from({ length: rows * columns }, (_, index) => (((index * 7919) % 1009) / 1009 - 0.5) / 8);
  const nodes = [];
  for (let layer = 0; layer < layers; layer++) {
    nodes.push({
      op: "MatMul",
      inputs: [layer === 0 ? "x" : `r${layer - 1}`, "weights"],
      outputs: [`p${layer}`],
    });
    nodes.push({ op: "Tanh", inputs: [`p${layer}`], outputs: [`r${layer}`] });
  }
  return graph({
    inputs: [{ name: "x", type: "float32", dims: ["batch", size] }],
    outputs: [{ name: "scores", type: "float32", dims: ["batch", 4] }],
    nodes: [...nodes, { op: "MatMul", inputs: [`r${layers - 1}`, "last"], outputs: ["scores"] }],
    constants: [
      floats("weights", [size, size], weights(size, size)),
      floats("last", [size, 4], weights(size, 4)),
    ],
  });
};

/** Numbers of `TensorProto.DataType`. */
export const ELEMENT = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
} as const;

/** `y = Identity(x)` for any element type; the writer of the demo models knows only the types that these need. */
export const identity = (element: number, dims: readonly (number | string)[]): Uint8Array =>
  unary(
    new ProtobufMessage().text(1, "x").text(2, "y").text(3, "identity").text(4, "Identity"),
    element,
    element,
    dims,
  );

/** `y = Cast(x)` from float32 of shape `[n]` to another type. */
export function castTo(element: number): Uint8Array {
  const attribute = new ProtobufMessage().text(1, "to").integer(3, element).integer(20, 2);
  const node = new ProtobufMessage()
    .text(1, "x")
    .text(2, "y")
    .text(3, "cast")
    .text(4, "Cast")
    .message(5, attribute);
  return unary(node, ELEMENT.float32, element, ["n"]);
}

function unary(
  node: ProtobufMessage,
  from: number,
  to: number,
  dims: readonly (number | string)[],
): Uint8Array {
  const value = (name: string, element: number) => {
    const shape = new ProtobufMessage();
    for (const dim of dims) {
      const dimension = new ProtobufMessage();
      shape.message(1, typeof dim === "number" ? dimension.integer(1, dim) : dimension.text(2, dim));
    }
    const tensor = new ProtobufMessage().integer(1, element).message(2, shape);
    return new ProtobufMessage().text(1, name).message(2, new ProtobufMessage().message(1, tensor));
  };
  const body = new ProtobufMessage().message(1, node).text(2, "fixture");
  return new ProtobufMessage()
    .integer(1, 8)
    .text(2, "muster")
    .message(7, body.message(11, value("x", from)).message(12, value("y", to)))
    .message(8, new ProtobufMessage().text(1, "").integer(2, 17))
    .encode();
}
