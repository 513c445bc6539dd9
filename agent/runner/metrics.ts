import type { InferenceCounters } from "@muster/shared/protocol/messages";

/** Sums of what was computed since they were last taken. */
export class Metrics {
  readonly #edges: readonly number[];
  #counters: InferenceCounters;

  /** @param edges upper bounds of the latency bins, milliseconds */
  constructor(edges: readonly number[]) {
    this.#edges = edges;
    this.#counters = this.#empty();
  }

  /** @param latencyUs inference time, microseconds */
  count(latencyUs: number, ok: boolean): void {
    const { latency } = this.#counters;
    const bin = this.#edges.findIndex((edge) => latencyUs / 1000 < edge);
    const index = bin === -1 ? this.#edges.length : bin;
    latency.counts[index] = latency.counts[index]! + 1;
    this.#counters.inferences += 1;
    if (!ok) this.#counters.failures += 1;
  }

  take(): InferenceCounters {
    const taken = this.#counters;
    this.#counters = this.#empty();
    return taken;
  }

  #empty(): InferenceCounters {
    return {
      inferences: 0,
      failures: 0,
      latency: { edges: [...this.#edges], counts: new Array<number>(this.#edges.length + 1).fill(0) },
    };
  }
}
