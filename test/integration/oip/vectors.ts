/** One tensor as a vector writes it: its data in JSON, or as bytes that follow the JSON part. */
interface VectorTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
  readonly bytes?: readonly number[];
}

/** A request to a model and what the protocol says comes back. */
export interface Vector {
  readonly what: string;
  readonly model: string;
  readonly version?: string;
  readonly request: {
    readonly id?: string;
    readonly parameters?: Readonly<Record<string, string | number | boolean>>;
    readonly inputs: readonly VectorTensor[];
    readonly outputs?: readonly {
      readonly name: string;
      readonly parameters?: Readonly<Record<string, string | number | boolean>>;
    }[];
  };
  readonly response: {
    readonly model_version: string;
    readonly id?: string;
    readonly outputs: readonly VectorTensor[];
  };
}

const bytesOf = (data: ArrayBufferView): number[] => [
  ...new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
];
const f32 = (...values: number[]): number[] => bytesOf(Float32Array.from(values));
/** Elements of BYTES: their length in 4 bytes, little-endian, then the text. */
const texts = (...values: string[]): number[] =>
  values.flatMap((value) => [...bytesOf(Uint32Array.of(Buffer.byteLength(value))), ...Buffer.from(value)]);

const x = (data: readonly number[], shape = [data.length / 4, 4]) => ({
  name: "x",
  datatype: "FP32",
  shape,
  data,
});
const scores = (data: readonly number[]) => ({
  name: "scores",
  datatype: "FP32",
  shape: [data.length / 4, 4],
  data,
});
const QUARTERS = [0.25, 0.25, 0.25, 0.25];
const a = { name: "a", datatype: "FP32", shape: [2], data: [1, 2] };
const b = { name: "b", datatype: "FP32", shape: [2], data: [4, 8] };
const sum = { name: "sum", datatype: "FP32", shape: [2], data: [5, 10] };
const ratio = { name: "ratio", datatype: "FP32", shape: [2], data: [0.25, 0.25] };
const BINARY = { binary_data: true };

/** An Identity model gives back what it got, in JSON and in binary. */
const echo = (
  model: string,
  datatype: string,
  data: readonly unknown[],
  bytes: readonly number[],
): Vector[] => {
  const tensor = (name: string) => ({ name, datatype, shape: [data.length] });
  const of = (what: string, sent: object, asked: object, given: object): Vector => ({
    what: `${datatype}: ${what}`,
    model,
    request: { inputs: [{ ...tensor("x"), ...sent }], outputs: [{ name: "y", ...asked }] },
    response: { model_version: "1.0.0", outputs: [{ ...tensor("y"), ...given }] },
  });
  const binary = { parameters: BINARY };
  return [
    of("JSON to JSON", { data }, {}, { data }),
    of("JSON to binary", { data }, binary, { bytes }),
    of("binary to JSON", { bytes }, {}, { data }),
    of("binary to binary", { bytes }, binary, { bytes }),
  ];
};

/** Golden vectors of the Open Inference Protocol v2 for the models of `served.ts`. */
export const VECTORS: readonly Vector[] = [
  {
    what: "all outputs where none are named",
    model: "arithmetic",
    request: { inputs: [a, b] },
    response: { model_version: "1.0.0", outputs: [sum, ratio] },
  },
  {
    what: "all outputs for an empty list",
    model: "arithmetic",
    request: { inputs: [a, b], outputs: [] },
    response: { model_version: "1.0.0", outputs: [sum, ratio] },
  },
  {
    what: "inputs in another order, outputs in the order asked for",
    model: "arithmetic",
    request: { inputs: [b, a], outputs: [{ name: "ratio" }, { name: "sum" }] },
    response: { model_version: "1.0.0", outputs: [ratio, sum] },
  },
  {
    what: "one output of two",
    model: "arithmetic",
    request: { inputs: [a, b], outputs: [{ name: "ratio" }] },
    response: { model_version: "1.0.0", outputs: [ratio] },
  },
  {
    what: "the id comes back",
    model: "arithmetic",
    request: { id: "part 7 — Prüfling", inputs: [a, b], outputs: [{ name: "sum" }] },
    response: { model_version: "1.0.0", id: "part 7 — Prüfling", outputs: [sum] },
  },
  {
    what: "JSON and binary inputs side by side",
    model: "arithmetic",
    request: {
      inputs: [a, { name: "b", datatype: "FP32", shape: [2], bytes: f32(4, 8) }],
      outputs: [{ name: "sum" }, { name: "ratio", parameters: BINARY }],
    },
    response: {
      model_version: "1.0.0",
      outputs: [sum, { name: "ratio", datatype: "FP32", shape: [2], bytes: f32(0.25, 0.25) }],
    },
  },
  {
    what: "unknown parameters do not matter",
    model: "arithmetic",
    request: {
      parameters: { anything: "goes", number: 1, flag: false },
      inputs: [a, b],
      outputs: [{ name: "sum" }],
    },
    response: { model_version: "1.0.0", outputs: [sum] },
  },
  {
    what: "a priority and a timeout that can be kept",
    model: "arithmetic",
    request: { parameters: { priority: 1, timeout: 60_000_000 }, inputs: [a, b], outputs: [{ name: "sum" }] },
    response: { model_version: "1.0.0", outputs: [sum] },
  },
  {
    what: "without a version the first of the release",
    model: "classifier",
    request: { inputs: [x([0, 0, 0, 0])] },
    response: { model_version: "2.0.0", outputs: [scores(QUARTERS)] },
  },
  {
    what: "a version beside it",
    model: "classifier",
    version: "1.5.0-rc.1",
    request: { inputs: [x([9, 0, 0, 0, 0, 9, 0, 0])] },
    response: { model_version: "1.5.0-rc.1", outputs: [scores([...QUARTERS, ...QUARTERS])] },
  },
  {
    what: "a batch of 0",
    model: "classifier",
    request: { inputs: [x([], [0, 4])] },
    response: { model_version: "2.0.0", outputs: [{ ...scores([]), shape: [0, 4] }] },
  },
  {
    what: "the two highest classes of each row, with labels",
    model: "classifier",
    version: "1.5.0-rc.1",
    request: {
      inputs: [x([1, 2, 3, 4, 5, 6, 7, 8])],
      outputs: [{ name: "scores", parameters: { classification: 2 } }],
    },
    response: {
      model_version: "1.5.0-rc.1",
      outputs: [
        { name: "scores", datatype: "BYTES", shape: [2, 2], data: ["0.25:0", "0.25:1", "0.25:0", "0.25:1"] },
      ],
    },
  },
  {
    what: "more classes than there are, in binary",
    model: "classifier",
    request: {
      inputs: [x([0, 0, 0, 0])],
      outputs: [{ name: "scores", parameters: { classification: 9, binary_data: true } }],
    },
    response: {
      model_version: "2.0.0",
      outputs: [
        {
          name: "scores",
          datatype: "BYTES",
          shape: [1, 4],
          bytes: texts("0.25:0:good", "0.25:1:worn", "0.25:2:cracked", "0.25:3:loose"),
        },
      ],
    },
  },
  {
    what: "FP16 in binary",
    model: "half",
    request: {
      inputs: [{ name: "x", datatype: "FP32", shape: [3], data: [1, -2, 0.5] }],
      outputs: [{ name: "y", parameters: BINARY }],
    },
    response: {
      model_version: "1.0.0",
      outputs: [
        { name: "y", datatype: "FP16", shape: [3], bytes: bytesOf(Uint16Array.of(0x3c00, 0xc000, 0x3800)) },
      ],
    },
  },
  // JSON has no form of it: only the last of the four ways is there.
  ...echo("fp16", "FP16", [0, 0], bytesOf(Uint16Array.of(0x3c00, 0xfbff))).slice(3),
  ...echo("bool", "BOOL", [true, false], [1, 0]),
  ...echo("uint8", "UINT8", [0, 255], [0, 255]),
  ...echo("int8", "INT8", [-128, 127], [128, 127]),
  ...echo("uint16", "UINT16", [0, 65_535], bytesOf(Uint16Array.of(0, 65_535))),
  ...echo("int16", "INT16", [-32_768, 32_767], bytesOf(Int16Array.of(-32_768, 32_767))),
  ...echo("uint32", "UINT32", [0, 2 ** 32 - 1], bytesOf(Uint32Array.of(0, 2 ** 32 - 1))),
  ...echo("int32", "INT32", [-(2 ** 31), 2 ** 31 - 1], bytesOf(Int32Array.of(-(2 ** 31), 2 ** 31 - 1))),
  ...echo(
    "int64",
    "INT64",
    [-(2n ** 63n), 2n ** 63n - 1n],
    bytesOf(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)),
  ),
  ...echo("uint64", "UINT64", [0n, 2n ** 64n - 1n], bytesOf(BigUint64Array.of(0n, 2n ** 64n - 1n))),
  ...echo("fp64", "FP64", [0.1, -1e300], bytesOf(Float64Array.of(0.1, -1e300))),
];
