import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import { quantile } from "@muster/shared/stats/histogram";
import {
  AT,
  CONFIDENCE_AT,
  CONFIDENCE_BINS,
  LATENCY_AT,
  LATENCY_BINS,
  type Sums,
  VITAL,
  VITAL_PLACES,
  VITALS,
  VITALS_AT,
} from "./sums.ts";

const HOUR_MS = 3_600_000;

/** One vital over a time: readings of all devices together. */
export interface VitalFigures {
  mean: number;
  min: number;
  max: number;
  last: number;
}

/** What sums say; null where there is nothing to divide by. Shares in percent, times in hours or milliseconds. */
export interface Figures {
  heartbeats: number;
  operationalHours: number;
  /** Operational hours without those device hours in which a runner crashed. */
  crashFreeOperationalPercent: number | null;
  servingHours: number;
  /** Serving hours without those device hours in which a runner of the same release crashed. */
  crashFreeServingPercent: number | null;
  crashes: number;
  connectedPercent: number | null;
  syncSuccessPercent: number | null;
  inferences: number;
  errorPercent: number | null;
  fallbackPercent: number | null;
  /** Answered by a lower rung of a cascade. */
  degradedPercent: number | null;
  /** Requests that were not computed, of all requests. */
  refusedPercent: number | null;
  /** Processor time of one inference, milliseconds. */
  cpuMsPerInference: number | null;
  /** Energy of one inference where it is known, joules. */
  joulesPerInference: number | null;
  latencyMs: { p50: number; p95: number; p99: number } | null;
  /** Score below which a twentieth, and a half, of the inferences lie. */
  confidence: { p5: number; p50: number } | null;
  shadowAgreementPercent: number | null;
  vitals: Partial<Record<(typeof VITALS)[number]["name"], VitalFigures>>;
}

const share = (part: number, whole: number): number | null => (whole > 0 ? (100 * part) / whole : null);

export function figuresOf(sums: Sums): Figures {
  const at = (name: keyof typeof AT): number => sums[AT[name]]!;
  const latency = quantiles(sums, LATENCY_AT, LATENCY_BINS, LATENCY_EDGES_MS, [0.5, 0.95, 0.99]);
  const confidence = quantiles(sums, CONFIDENCE_AT, CONFIDENCE_BINS, CONFIDENCE_EDGES, [0.05, 0.5]);
  return {
    heartbeats: at("heartbeats"),
    operationalHours: at("operationalMs") / HOUR_MS,
    crashFreeOperationalPercent: share(at("operationalMs") - at("operationalVoidMs"), at("operationalMs")),
    servingHours: at("servingMs") / HOUR_MS,
    crashFreeServingPercent: share(at("servingMs") - at("servingVoidMs"), at("servingMs")),
    crashes: at("crashes"),
    connectedPercent: share(at("connectedMs"), at("operationalMs")),
    syncSuccessPercent: share(at("syncSucceeded"), at("syncSucceeded") + at("syncFailed")),
    inferences: at("inferences"),
    errorPercent: share(at("failures"), at("inferences")),
    fallbackPercent: share(at("fallbacks"), at("inferences")),
    degradedPercent: share(at("degraded"), at("inferences")),
    refusedPercent: share(at("refused"), at("inferences") + at("refused")),
    cpuMsPerInference: at("inferences") > 0 ? at("cpuMs") / at("inferences") : null,
    joulesPerInference: at("energyInferences") > 0 ? at("energyMj") / 1000 / at("energyInferences") : null,
    latencyMs: latency && { p50: latency[0]!, p95: latency[1]!, p99: latency[2]! },
    confidence: confidence && { p5: confidence[0]!, p50: confidence[1]! },
    shadowAgreementPercent: share(at("shadowAgreed"), at("shadowCompared")),
    vitals: vitalsOf(sums),
  };
}

/** 95th percentile of inference time, milliseconds; null without an inference. */
export const p95Of = (sums: Sums): number | null =>
  quantiles(sums, LATENCY_AT, LATENCY_BINS, LATENCY_EDGES_MS, [0.95])?.[0] ?? null;

/** Values below which the shares lie; null for an empty histogram. */
function quantiles(
  sums: Sums,
  at: number,
  bins: number,
  edges: readonly number[],
  shares: readonly number[],
): number[] | null {
  const counts = sums.subarray(at, at + bins);
  const values = shares.flatMap((share) => quantile(edges, counts, share)?.value ?? []);
  return values.length > 0 ? values : null;
}

function vitalsOf(sums: Sums): Figures["vitals"] {
  const vitals: Figures["vitals"] = {};
  for (const [index, { name }] of VITALS.entries()) {
    const at = VITALS_AT + index * VITAL_PLACES;
    const count = sums[at]!;
    if (count === 0) continue;
    vitals[name] = {
      mean: sums[at + VITAL.sum]! / count,
      min: sums[at + VITAL.min]!,
      max: sums[at + VITAL.max]!,
      last: sums[at + VITAL.last]!,
    };
  }
  return vitals;
}
