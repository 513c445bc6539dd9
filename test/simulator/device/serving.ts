import type { Observed } from "@muster/agent/update/ports";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import type { Histogram } from "@muster/shared/protocol/model-evidence";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { gaussian, type Random } from "../../models/training/random.ts";
import type { Conduct } from "./conduct.ts";

/** Spread of inference times around their median, as the deviation of their logarithm. */
const LATENCY_SIGMA = 0.25;
/** Mean distance of a sure model's scores from 1. */
const DOUBT = 0.06;
/** Time without service after a crash, milliseconds. */
const RESTART_MS = 2_000;
/** Draws for one interval; beyond it each draw stands for several inferences. */
const MOST_DRAWS = 64;
/** Releases that a heartbeat may tell about. */
const MOST_ENTRIES = 4;

const empty = (edges: readonly number[]): Histogram => ({
  edges: [...edges],
  counts: Array.from({ length: edges.length + 1 }, () => 0),
});

function add(histogram: Histogram, value: number, weight: number): void {
  const bin = histogram.edges.findIndex((edge) => value < edge);
  const at = bin < 0 ? histogram.edges.length : bin;
  histogram.counts[at] = (histogram.counts[at] ?? 0) + weight;
}

/** Whole number with this mean: the fraction is decided by chance. */
const whole = (mean: number, random: Random): number =>
  Math.floor(mean) + (random() < mean - Math.floor(mean) ? 1 : 0);

/** Times at which something with this mean happened (Knuth, TAOCP 2, 3.4.1); means are small here. */
function poisson(mean: number, random: Random): number {
  if (mean > 30) return whole(mean, random);
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

/** Value below which the share lies, evenly spread within a bin; null without values. */
function quantile({ edges, counts }: Histogram, share: number): number | null {
  let left = share * counts.reduce((sum, count) => sum + count, 0);
  if (left === 0) return null;
  for (const [bin, count] of counts.entries()) {
    const [low, high] = [edges[bin - 1] ?? 0, edges[bin] ?? edges.at(-1) ?? 0];
    if (left <= count) return low + ((high - low) * left) / count;
    left -= count;
  }
  return edges.at(-1) ?? null;
}

/** The runner of a simulated device: what it served since when, and what was counted meanwhile. */
export class Serving {
  release: ReleaseRef | null = null;
  state: "idle" | "ready" | "failed" = "idle";
  activeSince = 0;
  inferencesTotal = 0;
  crashesTotal = 0;
  #accruedAt = 0;
  #sums = new Map<string, InferenceCounters>();
  #observed = { inferences: 0, failures: 0, crashes: 0, latency: empty(LATENCY_EDGES_MS) };

  /** Another release, or none, serves from now on. Call `accrue` before. */
  serve(release: ReleaseRef | null, now: number): void {
    this.release = release;
    this.state = release ? "ready" : "idle";
    this.activeSince = now;
    this.#accruedAt = now;
    this.#observed = { inferences: 0, failures: 0, crashes: 0, latency: empty(LATENCY_EDGES_MS) };
  }

  /** The runner did not come back. */
  fail(now: number): void {
    this.state = "failed";
    this.#accruedAt = now;
  }

  /** Counts what was served since the last call. @param medianMs inference time of a good release on this box */
  accrue(now: number, conduct: Conduct, perSecond: number, medianMs: number, random: Random): void {
    const elapsedMs = now - this.#accruedAt;
    this.#accruedAt = now;
    if (this.state !== "ready" || !this.release || elapsedMs <= 0) return;
    const crashes = poisson((conduct.crashesPerHour * elapsedMs) / 3_600_000, random);
    const servingMs = Math.max(0, Math.round(elapsedMs - crashes * RESTART_MS));
    const sums = this.#entry(this.release.digest as `sha256:${string}`);
    const inferences = whole((perSecond * servingMs) / 1000, random);
    const failures = Math.min(inferences, poisson(inferences * conduct.errorRate, random));
    sums.servingMs += servingMs;
    sums.crashes += crashes;
    sums.inferences += inferences;
    sums.failures += failures;
    sums.fallbacks += Math.min(inferences, poisson(inferences * conduct.fallbackRate, random));
    this.#draw(
      sums,
      inferences - failures,
      medianMs * conduct.latencyFactor,
      conduct.confidenceFactor,
      random,
    );
    this.inferencesTotal += inferences;
    this.crashesTotal += crashes;
    this.#observed.inferences += inferences;
    this.#observed.failures += failures;
    this.#observed.crashes += crashes;
  }

  /** What was counted since the last call, one entry for each release. */
  take(): InferenceCounters[] {
    const entries = [...this.#sums.values()];
    this.#sums = new Map();
    return entries.slice(-MOST_ENTRIES);
  }

  /** What was seen since the release of this moment began to serve. */
  observed(): Observed {
    const { inferences, failures, crashes, latency } = this.#observed;
    return { inferences, failures, crashes, p95Ms: quantile(latency, 0.95) };
  }

  #entry(release: `sha256:${string}`): InferenceCounters {
    const known = this.#sums.get(release);
    if (known) return known;
    const made: InferenceCounters = {
      release,
      servingMs: 0,
      crashes: 0,
      inferences: 0,
      failures: 0,
      fallbacks: 0,
      degraded: 0,
      refused: 0,
      cpuMs: 0,
      energyMj: null,
      latency: empty(LATENCY_EDGES_MS),
      confidence: empty(CONFIDENCE_EDGES),
    };
    this.#sums.set(release, made);
    return made;
  }

  #draw(sums: InferenceCounters, count: number, medianMs: number, doubt: number, random: Random): void {
    const draws = Math.min(count, MOST_DRAWS);
    for (let drawn = 0, left = count; drawn < draws; drawn += 1) {
      const weight = Math.ceil(left / (draws - drawn));
      left -= weight;
      const latencyMs = medianMs * Math.exp(LATENCY_SIGMA * gaussian(random));
      add(sums.latency, latencyMs, weight);
      add(this.#observed.latency, latencyMs, weight);
      add(sums.confidence, Math.max(0, 1 + DOUBT * doubt * Math.log(1 - random())), weight);
    }
  }
}
