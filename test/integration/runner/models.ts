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
export function identity(element: number, dims: readonly (number | string)[]): Uint8Array {
  const value = (name: string) => {
    const shape = new ProtobufMessage();
    for (const dim of dims) {
      const dimension = new ProtobufMessage();
      shape.message(1, typeof dim === "number" ? dimension.integer(1, dim) : dimension.text(2, dim));
    }
    const tensor = new ProtobufMessage().integer(1, element).message(2, shape);
    return new ProtobufMessage().text(1, name).message(2, new ProtobufMessage().message(1, tensor));
  };
  const node = new ProtobufMessage().text(1, "x").text(2, "y").text(3, "identity").text(4, "Identity");
  const body = new ProtobufMessage().message(1, node).text(2, "fixture");
  return new ProtobufMessage()
    .integer(1, 8)
    .text(2, "muster")
    .message(7, body.message(11, value("x")).message(12, value("y")))
    .message(8, new ProtobufMessage().text(1, "").integer(2, 17))
    .encode();
}
