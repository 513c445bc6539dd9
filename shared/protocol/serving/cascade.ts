import { type Static, Type } from "typebox";
import { GoldenTensor } from "../model-evidence.ts";
import { Name } from "../primitives.ts";

/** Why an answer may come from a lower rung. */
export const DEGRADE_REASONS = ["deadline", "failure", "heat", "power"] as const;
export type DegradeReason = (typeof DEGRADE_REASONS)[number];

/** Ways to answer below the primary variant. */
export const RUNGS = ["variant", "model", "cache", "default"] as const;

const when = {
  when: Type.Array(Type.Enum(DEGRADE_REASONS), { minItems: 1, maxItems: 4, uniqueItems: true }),
};

const rung = <K extends (typeof RUNGS)[number], T extends Parameters<typeof Type.Object>[0]>(
  use: K,
  properties: T,
) => Type.Object({ use: Type.Literal(use), ...properties, ...when }, { additionalProperties: false });

/** One way to answer when the primary variant cannot. */
export const Rung = Type.Union([
  /** Another variant of the same model component, loaded beside the chosen one. */
  rung("variant", { variant: Name }),
  /** Another model of this release with inputs and outputs of the same names and types. */
  rung("model", { model: Name }),
  /** The answer that the same input had before. */
  rung("cache", {
    maxAgeSeconds: Type.Number({ exclusiveMinimum: 0, maximum: 7 * 86_400 }),
    maxEntries: Type.Integer({ minimum: 1, maximum: 100_000 }),
  }),
  /** Fixed outputs; a dimension that varies is that of the request. */
  rung("default", { outputs: Type.Array(GoldenTensor, { minItems: 1, maxItems: 16 }) }),
]);
export type Rung = Static<typeof Rung>;

/** Rungs below the primary variant, tried in order; each answers only for its reasons. */
export const Cascade = Type.Array(Rung, { minItems: 1, maxItems: 8 });
export type Cascade = Static<typeof Cascade>;
