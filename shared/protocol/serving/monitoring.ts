import { type Static, Type } from "typebox";

/** What an input may hold. Integers are judged like floats; a bound that is absent does not bind. */
export const Guards = Type.Object(
  {
    inputs: Type.Record(
      Type.String({ minLength: 1, maxLength: 256 }),
      Type.Object(
        {
          min: Type.Optional(Type.Number()),
          max: Type.Optional(Type.Number()),
          /** Default false: a NaN or infinity violates the guard. */
          allowNonFinite: Type.Optional(Type.Boolean()),
        },
        { additionalProperties: false },
      ),
      { maxProperties: 64 },
    ),
    /** `reject` answers with an error; `count` computes and counts. */
    onViolation: Type.Union([Type.Literal("reject"), Type.Literal("count")]),
  },
  { additionalProperties: false },
);
export type Guards = Static<typeof Guards>;

/**
 * When live traffic counts as drifted from the reference set of the variant. A window drifts when for some feature
 * both PSI exceeds what chance explains at `alpha` over all features, and PSI exceeds `minPsi`; an alarm
 * needs `alarmWindows` of the last `ofWindows`.
 */
export const Monitor = Type.Object(
  {
    windowSeconds: Type.Integer({ minimum: 10, maximum: 86_400 }),
    minSamples: Type.Integer({ minimum: 20, maximum: 1_000_000 }),
    alpha: Type.Number({ exclusiveMinimum: 0, maximum: 0.2 }),
    minPsi: Type.Number({ minimum: 0, maximum: 1 }),
    alarmWindows: Type.Integer({ minimum: 1, maximum: 24 }),
    ofWindows: Type.Integer({ minimum: 1, maximum: 24 }),
  },
  { additionalProperties: false },
);
export type Monitor = Static<typeof Monitor>;
