import { MusterError } from "@muster/shared/errors";
import type { Tensor } from "onnxruntime-node";

export type NumericData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Float32Array
  | Float64Array;
export type TensorData = NumericData | string[];

/** Datatype names of the Open Inference Protocol v2. */
export type Datatype =
  | "BOOL"
  | "UINT8"
  | "UINT16"
  | "UINT32"
  | "UINT64"
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "FP16"
  | "FP32"
  | "FP64"
  | "BYTES";

interface DatatypeFacts {
  /** Name that ONNX Runtime uses. */
  readonly ort: Tensor.Type;
  /** Bytes of one element; 0 where it varies. */
  readonly size: number;
  /** Row-major data of `count` elements, all zero. FP16 is kept as its 16 bits. */
  readonly allocate: (count: number) => TensorData;
}

export const DATATYPES: Readonly<Record<Datatype, DatatypeFacts>> = {
  BOOL: { ort: "bool", size: 1, allocate: (count) => new Uint8Array(count) },
  UINT8: { ort: "uint8", size: 1, allocate: (count) => new Uint8Array(count) },
  UINT16: { ort: "uint16", size: 2, allocate: (count) => new Uint16Array(count) },
  UINT32: { ort: "uint32", size: 4, allocate: (count) => new Uint32Array(count) },
  UINT64: { ort: "uint64", size: 8, allocate: (count) => new BigUint64Array(count) },
  INT8: { ort: "int8", size: 1, allocate: (count) => new Int8Array(count) },
  INT16: { ort: "int16", size: 2, allocate: (count) => new Int16Array(count) },
  INT32: { ort: "int32", size: 4, allocate: (count) => new Int32Array(count) },
  INT64: { ort: "int64", size: 8, allocate: (count) => new BigInt64Array(count) },
  FP16: { ort: "float16", size: 2, allocate: (count) => new Uint16Array(count) },
  FP32: { ort: "float32", size: 4, allocate: (count) => new Float32Array(count) },
  FP64: { ort: "float64", size: 8, allocate: (count) => new Float64Array(count) },
  BYTES: { ort: "string", size: 0, allocate: (count) => new Array<string>(count).fill("") },
};

const BY_ORT_NAME = new Map(
  Object.entries(DATATYPES).map(([datatype, { ort }]) => [ort, datatype as Datatype]),
);

export const isDatatype = (value: unknown): value is Datatype =>
  typeof value === "string" && Object.hasOwn(DATATYPES, value);

/** Protocol name of a type of ONNX Runtime, or undefined for one that the protocol has no name for. */
export const datatypeOfOrt = (type: string): Datatype | undefined => BY_ORT_NAME.get(type as Tensor.Type);

/** Input or output as the model declares it; a text dimension is symbolic and may have any size. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly (number | string)[];
}

export interface TensorValue {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Above this no tensor of ours can be: it keeps sums and products exact. */
const MAX_ELEMENTS = 2 ** 31 - 1;

/** Number of elements of a shape. @throws MusterError `inference.invalid` when it is beyond 2^31 - 1 */
export function elementCount(name: string, shape: readonly number[]): number {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const dimension of shape) {
    count *= dimension;
    if (count > MAX_ELEMENTS)
      throw new MusterError("inference.invalid", `The shape of tensor '${name}' has too many elements.`);
  }
  return count;
}
