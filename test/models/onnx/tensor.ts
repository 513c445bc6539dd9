import { ProtobufMessage } from "./protobuf.ts";

/** Element types by their number in `TensorProto.DataType`. */
const ELEMENT_TYPES = {
  ...{ float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 },
  ...{ uint4: 21, int4: 22 },
} as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

type TensorData = Float32Array | Uint8Array | Int8Array | Uint16Array | Int32Array | BigInt64Array;

/**
 * A named constant of a graph: row-major data whose length is the product of `dims`. Half floats are given as their 16
 * bits, 4-bit integers two to a byte with the first in the lower half.
 */
export interface ConstantTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

export const elementTypeNumber = (type: ElementType): number => ELEMENT_TYPES[type];

export const floats = (name: string, dims: readonly number[], data: Float32Array): ConstantTensor => ({
  name,
  type: "float32",
  dims,
  data,
});

export const scalar = (name: string, value: number): ConstantTensor =>
  floats(name, [], Float32Array.of(value));

/** A one-dimensional list of 64-bit integers, as shapes and axes are given to operators. */
export const integers = (name: string, values: readonly number[]): ConstantTensor => ({
  name,
  type: "int64",
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

/** `TensorProto` with little-endian raw data: the host's own order on every platform that ONNX Runtime ships for. */
export function encodeTensor(tensor: ConstantTensor): ProtobufMessage {
  const message = new ProtobufMessage();
  for (const dim of tensor.dims) message.integer(1, dim);
  const { buffer, byteOffset, byteLength } = tensor.data;
  return message
    .integer(2, elementTypeNumber(tensor.type))
    .text(8, tensor.name)
    .bytes(9, new Uint8Array(buffer, byteOffset, byteLength));
}
