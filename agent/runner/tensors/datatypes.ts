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
  /** `count` elements as they lie in a buffer, from an offset that is a multiple of their size. */
  readonly view: (buffer: ArrayBuffer, offset: number, count: number) => NumericData;
}

type NumericArray = new (buffer: ArrayBuffer | number, offset?: number, count?: number) => NumericData;

const numbers = (
  ort: Tensor.Type,
  type: NumericArray & { readonly BYTES_PER_ELEMENT: number },
): DatatypeFacts => ({
  ort,
  size: type.BYTES_PER_ELEMENT,
  allocate: (count) => new type(count),
  view: (buffer, offset, count) => new type(buffer, offset, count),
});

export const DATATYPES: Readonly<Record<Datatype, DatatypeFacts>> = {
  BOOL: numbers("bool", Uint8Array),
  UINT8: numbers("uint8", Uint8Array),
  UINT16: numbers("uint16", Uint16Array),
  UINT32: numbers("uint32", Uint32Array),
  UINT64: numbers("uint64", BigUint64Array),
  INT8: numbers("int8", Int8Array),
  INT16: numbers("int16", Int16Array),
  INT32: numbers("int32", Int32Array),
  INT64: numbers("int64", BigInt64Array),
  FP16: numbers("float16", Uint16Array),
  FP32: numbers("float32", Float32Array),
  FP64: numbers("float64", Float64Array),
  BYTES: {
    ort: "string",
    size: 0,
    allocate: (count) => new Array<string>(count).fill(""),
    view: () => {
      throw new MusterError("inference.invalid", "Elements of BYTES have no fixed size.");
    },
  },
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
