import { emptyTally, type Tally, type TallyEdges } from "../inference/latency.ts";

/** One computed row of a request. */
export interface Counted {
  /** Inference time, microseconds. */
  readonly latencyUs: number;
  readonly ok: boolean;
  /** Highest score, or null where the model gives none. */
  readonly score: number | null;
  /** Computed by another than the preferred provider of the variant. */
  readonly fallback: boolean;
}

/** Sums of what was computed since they were last taken. */
export class Metrics {
  readonly #edges: TallyEdges;
  #tally: Tally;

  constructor(edges: TallyEdges) {
    this.#edges = edges;
    this.#tally = emptyTally(edges);
  }

  count({ latencyUs, ok, score, fallback }: Counted): void {
    const tally = this.#tally;
    tally.inferences += 1;
    if (!ok) tally.failures += 1;
    if (fallback) tally.fallbacks += 1;
    add(tally.latency, latencyUs / 1000);
    if (score !== null) add(tally.confidence, score);
  }

  take(): Tally {
    const taken = this.#tally;
    this.#tally = emptyTally(this.#edges);
    return taken;
  }
}

function add({ edges, counts }: Tally["latency"], value: number): void {
  const bin = edges.findIndex((edge) => value < edge);
  const index = bin === -1 ? edges.length : bin;
  counts[index] = counts[index]! + 1;
}
