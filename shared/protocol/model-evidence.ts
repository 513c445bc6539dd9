import { type Static, Type } from "typebox";
import { Count } from "./primitives.ts";

/** Tensor in the shape of the Open Inference Protocol v2: row-major flat data. */
export const GoldenTensor = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 256 }),
    datatype: Type.String({ pattern: "^(BOOL|U?INT(8|16|32|64)|FP16|FP32|FP64)$" }),
    shape: Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 8 }),
    data: Type.Array(Type.Number()),
  },
  { additionalProperties: false },
);
export type GoldenTensor = Static<typeof GoldenTensor>;

/**
 * Golden inputs with the outputs that the variant must reproduce before it may serve.
 * A value passes when `|got - want| <= absolute + relative * |want|`; `minAgreement` is the share of cases
 * (0 to 1) whose values all pass and whose class (arg max of the first output) is the same.
 */
export const GoldenSet = Type.Object(
  {
    schema: Type.Literal("muster.golden/1"),
    tolerance: Type.Object(
      { absolute: Type.Number({ minimum: 0 }), relative: Type.Number({ minimum: 0 }) },
      { additionalProperties: false },
    ),
    minAgreement: Type.Number({ minimum: 0, maximum: 1 }),
    cases: Type.Array(
      Type.Object(
        {
          inputs: Type.Array(GoldenTensor, { minItems: 1, maxItems: 16 }),
          outputs: Type.Array(GoldenTensor, { minItems: 1, maxItems: 16 }),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 256 },
    ),
  },
  { additionalProperties: false },
);
export type GoldenSet = Static<typeof GoldenSet>;

/**
 * Fixed-bin histogram: `counts[i]` values fell in `[edges[i-1], edges[i])`, with open bins at both ends, so
 * `counts.length === edges.length + 1`. Histograms with equal edges merge by adding counts.
 */
export const Histogram = Type.Object(
  {
    edges: Type.Array(Type.Number(), { minItems: 1, maxItems: 64 }),
    counts: Type.Array(Count, { minItems: 2, maxItems: 65 }),
  },
  { additionalProperties: false },
);
export type Histogram = Static<typeof Histogram>;

/**
 * Reference distributions of monitored scalars, made by running this very variant over its calibration set.
 * Features: `input:<tensor>:mean`, `input:<tensor>:std`, `output:<tensor>:confidence`, `output:<tensor>:entropy`
 * (nats) and `output:<tensor>:class` (edges at half-integers).
 */
export const ReferenceSet = Type.Object(
  {
    schema: Type.Literal("muster.reference/1"),
    samples: Type.Integer({ minimum: 1 }),
    /** Measured on the held-out set, 0 to 1. */
    accuracy: Type.Number({ minimum: 0, maximum: 1 }),
    features: Type.Record(Type.String({ maxLength: 256 }), Histogram, { maxProperties: 64 }),
  },
  { additionalProperties: false },
);
export type ReferenceSet = Static<typeof ReferenceSet>;
