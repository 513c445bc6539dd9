import { type Static, Type } from "typebox";

/**
 * Which inputs a device keeps as hard examples for the next training. The box must allow it too: a release alone
 * never makes a device keep what its sensors see.
 */
export const CaptureRule = Type.Object(
  {
    /** Highest score below which an inference is a hard example, 0 to 1. */
    belowConfidence: Type.Number({ minimum: 0, maximum: 1 }),
    /** `inputs` keeps the tensors, `summary` only their statistics and the outputs. */
    keep: Type.Union([Type.Literal("inputs"), Type.Literal("summary")]),
    maxPerDay: Type.Integer({ minimum: 1, maximum: 100_000 }),
  },
  { additionalProperties: false },
);
export type CaptureRule = Static<typeof CaptureRule>;
