import { countIn } from "@muster/shared/stats/histogram";
import { emptyTally, type Tally, type TallyEdges } from "../inference/latency.ts";
import type { Observation, Observer } from "./infer.ts";

/** Sums of what was computed since they were last taken. */
export class Metrics implements Observer {
  readonly #edges: TallyEdges;
  #tally: Tally;
  /** What is less than a millisecond waits for the next time. */
  #cpuUs = 0;

  constructor(edges: TallyEdges) {
    this.#edges = edges;
    this.#tally = emptyTally(edges);
  }

  observe({ inferred: { latencyUs, cpuUs, verdicts, by, degraded } }: Observation): void {
    const tally = this.#tally;
    this.#cpuUs += cpuUs;
    const isComputed = degraded?.rung !== "cache" && degraded?.rung !== "default";
    for (const { ok, top } of verdicts) {
      tally.inferences += 1;
      // The model has failed even where another answered in its place.
      if (!ok || degraded?.reason === "failure") tally.failures += 1;
      if (by.fallback) tally.fallbacks += 1;
      if (degraded) tally.degraded += 1;
      // An answer that nobody computed says nothing about how quick or how sure the model is.
      if (!isComputed) continue;
      countIn(tally.latency, latencyUs / 1000);
      if (top) countIn(tally.confidence, top.score);
    }
  }

  /** A request was answered by nobody: no room, or too late. */
  refused(): void {
    this.#tally.refused += 1;
  }

  take(): Tally {
    const cpuMs = Math.floor(this.#cpuUs / 1000);
    const taken = { ...this.#tally, cpuMs };
    this.#tally = emptyTally(this.#edges);
    this.#cpuUs -= cpuMs * 1000;
    return taken;
  }
}
