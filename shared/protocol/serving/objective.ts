import { type Static, Type } from "typebox";

/**
 * How a device chooses among the variants that fit. `order` takes the first that fits, unmeasured. Otherwise each
 * candidate is measured on the device and the best of those that meet the floors wins.
 */
export const Objective = Type.Object(
  {
    prefer: Type.Union([Type.Literal("order"), Type.Literal("latency"), Type.Literal("energy"), Type.Literal("memory")]),
    /** Lowest agreement with the golden outputs, 0 to 1, beside what each golden set asks for. */
    minAgreement: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Lowest accuracy on the held-out set, as the reference set of the variant states it, 0 to 1. */
    minAccuracy: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Highest 95th percentile of inference time, milliseconds. */
    maxLatencyMs: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
    /** Candidates that are fetched and measured, in the release's order. */
    maxCandidates: Type.Optional(Type.Integer({ minimum: 1, maximum: 8 })),
  },
  { additionalProperties: false },
);
export type Objective = Static<typeof Objective>;
