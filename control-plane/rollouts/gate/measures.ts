import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import { quantile, total } from "@muster/shared/stats/histogram";
import { psi } from "@muster/shared/stats/psi";
import {
  AGREED,
  COMPARED,
  CRASHES,
  confidenceOf,
  FAILURES,
  FALLBACKS,
  INFERENCES,
  latencyOf,
  SERVING_MS,
  type Sums,
  VOIDED_MS,
  voidedMs,
} from "../exposure/sums.ts";
import type { Metric } from "./plan.ts";

/** What a metric means on sums of one device or of many. `badness` grows with how bad it is, whatever the metric. */
interface Measure {
  unit: "percent" | "ms" | "psi";
  /** Words for a sentence: `crash-free inference hours`. */
  name: string;
  /** True where operators read a value of which more is better; it is 100 % less the badness. */
  moreIsBetter: boolean;
  /** How much was measured: inferences, or milliseconds of serving; 0 for nothing. */
  ground(sums: Sums): number;
  /** Of a whole arm; drift has none by itself. */
  badness?: (sums: Sums) => number;
  /**
   * Of one device in one block; undefined where it measured too little to be ranked.
   * @param others confidence of the controls, which drift is measured from
   */
  deviceBadness(sums: Sums, others: Float64Array): number | undefined;
}

/** A device with fewer inferences in a block is not ranked by what they were like. */
const LEAST_INFERENCES = 20;
const P95 = 0.95;

const at = (sums: Sums, index: number): number => sums[index] ?? 0;
const percent = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);

const share = (name: string, whole: number, part: (sums: Sums) => number, moreIsBetter = false): Measure => ({
  unit: "percent",
  name,
  moreIsBetter,
  ground: (sums) => at(sums, whole),
  badness: (sums) => percent(part(sums), at(sums, whole)),
  deviceBadness: (sums) =>
    at(sums, whole) < LEAST_INFERENCES ? undefined : percent(part(sums), at(sums, whole)),
});

/** 95th percentile of the inference time with the edges of the bin that has it. */
export const p95Of = (sums: Sums) => quantile(LATENCY_EDGES_MS, latencyOf(sums), P95);

export const MEASURES: Record<Metric, Measure> = {
  "crash-free-hours": {
    unit: "percent",
    name: "crash-free inference hours",
    moreIsBetter: true,
    ground: (sums) => at(sums, SERVING_MS),
    badness: (sums) => percent(at(sums, VOIDED_MS), at(sums, SERVING_MS)),
    deviceBadness: (sums) =>
      at(sums, SERVING_MS) > 0
        ? percent(voidedMs(sums), at(sums, SERVING_MS))
        : at(sums, CRASHES) > 0
          ? 100
          : undefined,
  },
  "error-rate": share("error rate", INFERENCES, (sums) => at(sums, FAILURES)),
  "fallback-rate": share("fallback rate", INFERENCES, (sums) => at(sums, FALLBACKS)),
  "latency-p95": {
    unit: "ms",
    name: "p95 latency",
    moreIsBetter: false,
    ground: (sums) => total(latencyOf(sums)),
    badness: (sums) => p95Of(sums)?.value ?? 0,
    deviceBadness: (sums) => {
      const counts = latencyOf(sums);
      return total(counts) < LEAST_INFERENCES ? undefined : quantile(LATENCY_EDGES_MS, counts, P95)?.value;
    },
  },
  drift: {
    unit: "psi",
    name: "drift of the confidence",
    moreIsBetter: false,
    ground: (sums) => total(confidenceOf(sums)),
    deviceBadness: (sums, others) => {
      const counts = confidenceOf(sums);
      const enough = total(counts) >= LEAST_INFERENCES && total(others) >= LEAST_INFERENCES;
      return enough ? psi(counts, others) : undefined;
    },
  },
  "shadow-agreement": share(
    "shadow agreement",
    COMPARED,
    (sums) => at(sums, COMPARED) - at(sums, AGREED),
    true,
  ),
};

/** Bins of the confidence, for sums of them. */
export const noConfidence = (): Float64Array => new Float64Array(CONFIDENCE_EDGES.length + 1);

/**
 * The value that an updated device is ranked with: how bad it is beyond what the plan tolerates. Tolerance is
 * percent of the value for latency and points (percent or PSI) for all else.
 */
export const beyondTolerance = (metric: Metric, badness: number, tolerance: number): number =>
  metric === "latency-p95" ? badness / (1 + tolerance / 100) : badness - tolerance;
