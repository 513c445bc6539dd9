import { type Static, Type } from "typebox";

/** How a candidate release is watched beside the live one before it may serve: part of a directive, so signed. */
export const ShadowRule = Type.Object(
  {
    /** Time in the shadow; with too little traffic twice that, seconds. */
    seconds: Type.Integer({ minimum: 1, maximum: 7 * 86_400 }),
    /** Share of the requests that the candidate is to compute too, percent. */
    samplePercent: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
    /** Processor time of the candidate, percent of one core. */
    cpuPercent: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
    /** Least number of compared inferences before anything is concluded. */
    minCompared: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    /** Least share of them on which both releases must agree, percent. */
    minAgreementPercent: Type.Number({ minimum: 0, maximum: 100 }),
  },
  { additionalProperties: false },
);
export type ShadowRule = Static<typeof ShadowRule>;
