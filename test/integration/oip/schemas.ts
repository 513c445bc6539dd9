import { type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";

// What each answer of the Open Inference Protocol v2 must look like: `open_inference_rest.yaml`, with the corrections
// that its extensions need, and the extensions as Triton describes them. Members beside these are allowed.

const Parameters = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]));
const Datatype = Type.Enum([
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "FP32",
  "FP64",
  "BYTES",
]);
const Element = Type.Union([Type.Number(), Type.String(), Type.Boolean()]);
const Tensor = Type.Object({
  name: Type.String(),
  datatype: Datatype,
  shape: Type.Array(Type.Integer({ minimum: -1 })),
});
const Output = Type.Object({
  name: Type.String(),
  datatype: Datatype,
  shape: Type.Array(Type.Integer({ minimum: 0 })),
  parameters: Type.Optional(Parameters),
  /** Absent where the data is binary. */
  data: Type.Optional(Type.Array(Element)),
});
const Spent = Type.Object({ count: Type.Integer({ minimum: 0 }), ns: Type.Integer({ minimum: 0 }) });

export const SCHEMAS = {
  error: Type.Object({ error: Type.String({ minLength: 1, maxLength: 4096 }), code: Type.String() }),
  server: Type.Object({ name: Type.String(), version: Type.String(), extensions: Type.Array(Type.String()) }),
  model: Type.Object({
    name: Type.String(),
    versions: Type.Array(Type.String(), { minItems: 1 }),
    platform: Type.String(),
    inputs: Type.Array(Tensor),
    outputs: Type.Array(Tensor),
  }),
  inference: Type.Object({
    model_name: Type.String(),
    model_version: Type.Optional(Type.String()),
    id: Type.Optional(Type.String()),
    parameters: Type.Optional(Parameters),
    outputs: Type.Array(Output),
  }),
  index: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.Optional(Type.String()),
      state: Type.Enum(["UNKNOWN", "READY", "UNAVAILABLE", "LOADING", "UNLOADING"]),
      reason: Type.String(),
    }),
  ),
  config: Type.Object({
    name: Type.String(),
    platform: Type.String(),
    max_batch_size: Type.Integer({ minimum: 0 }),
    input: Type.Array(
      Type.Object({
        name: Type.String(),
        data_type: Type.String({ pattern: "^TYPE_" }),
        dims: Type.Array(Type.Integer()),
      }),
    ),
    output: Type.Array(
      Type.Object({
        name: Type.String(),
        data_type: Type.String({ pattern: "^TYPE_" }),
        dims: Type.Array(Type.Integer()),
      }),
    ),
  }),
  stats: Type.Object({
    model_stats: Type.Array(
      Type.Object({
        name: Type.String(),
        version: Type.String(),
        last_inference: Type.Integer({ minimum: 0 }),
        inference_count: Type.Integer({ minimum: 0 }),
        execution_count: Type.Integer({ minimum: 0 }),
        inference_stats: Type.Object({
          success: Spent,
          fail: Spent,
          queue: Spent,
          compute_input: Spent,
          compute_infer: Spent,
          compute_output: Spent,
          cache_hit: Spent,
          cache_miss: Spent,
        }),
        batch_stats: Type.Array(
          Type.Object({
            batch_size: Type.Integer({ minimum: 1 }),
            compute_input: Spent,
            compute_infer: Spent,
            compute_output: Spent,
          }),
        ),
      }),
    ),
  }),
} as const;

export type AnswerKind = keyof typeof SCHEMAS;

const validators = new Map<AnswerKind, ReturnType<typeof Compile>>();

/** What is wrong with an answer, as sentences; none when it is as the protocol says. */
export function mismatches(kind: AnswerKind, answer: unknown): string[] {
  let validator = validators.get(kind);
  if (!validator) {
    validator = Compile(SCHEMAS[kind] as TSchema);
    validators.set(kind, validator);
  }
  if (validator.Check(answer)) return kind === "inference" ? wrongCounts(answer as Inference) : [];
  return [...validator.Errors(answer)].map(({ instancePath, message }) => `${instancePath}: ${message}`);
}

interface Inference {
  readonly outputs: readonly {
    name: string;
    shape: number[];
    data?: unknown[];
    parameters?: Record<string, unknown>;
  }[];
}

/** Flat data has as many elements as its shape says; binary data says its size and has no `data`. */
function wrongCounts({ outputs }: Inference): string[] {
  return outputs.flatMap(({ name, shape, data, parameters }) => {
    const binary = parameters?.binary_data_size;
    if ((data === undefined) === (binary === undefined))
      return [`${name}: data in JSON or in binary, and not both`];
    const count = shape.reduce((product, size) => product * size, 1);
    return data && data.length !== count ? [`${name}: ${data.length} elements; its shape says ${count}`] : [];
  });
}
