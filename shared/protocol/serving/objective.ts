import { type Static, Type } from "typebox";

/** Most pairs of variant and provider that a device measures for one model. */
export const MOST_CANDIDATES = 8;

/**
 * How a device chooses among the variants that fit. Every pair of variant and provider, up to `maxCandidates`, is
 * measured on the device, and the best of those that meet the floors wins: `latency` by the median inference time,
 * `energy` by processor time, `memory` by memory, `order` by the release's order. Values within 5 % of the best count as
 * equal, and among equals the release's order decides. `order` without a floor takes the first that fits, unmeasured.
 */
export const Objective = Type.Object(
  {
    prefer: Type.Union([
      Type.Literal("order"),
      Type.Literal("latency"),
      Type.Literal("energy"),
      Type.Literal("memory"),
    ]),
    /** Lowest agreement with the golden outputs, 0 to 1, beside what each golden set asks for. */
    minAgreement: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Lowest accuracy on the held-out set, as the reference set of the variant states it, 0 to 1. */
    minAccuracy: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Highest 95th percentile of inference time, milliseconds. */
    maxLatencyMs: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
    /** Candidates that are fetched and measured, in the release's order; default 4. */
    maxCandidates: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_CANDIDATES })),
  },
  { additionalProperties: false },
);
export type Objective = Static<typeof Objective>;
