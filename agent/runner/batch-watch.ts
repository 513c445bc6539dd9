import { BatchTimes } from "./batch-times.ts";
import type { RunningBatch } from "./control.ts";
import type { LoadedModel } from "./model.ts";

/** A batch may take so many times the longest time that was measured for its size. */
const FACTOR = 20;
/** Longest time that any batch may take, milliseconds. */
const LONGEST_MS = 600_000;

/**
 * Knows what the runtime computes and how long that may take. The runtime blocks its process, so whoever judges stands
 * outside: a batch that may take longer than a silence is borne anyway is announced before it begins; of any other
 * the supervisor learns nothing, and kills a runner that stays silent.
 */
export class BatchWatch {
  readonly #floorMs: number;
  readonly #announce: (limitMs: number | null) => void;
  readonly #monotonic: () => number;
  #running: { model: string; since: number; limitMs: number } | undefined;

  /**
   * @param floorMs shortest limit, milliseconds
   * @param announce told before a batch whose limit is longer, and null after it
   * @param monotonic milliseconds that only grow
   */
  constructor(floorMs: number, announce: (limitMs: number | null) => void, monotonic: () => number) {
    this.#floorMs = floorMs;
    this.#announce = announce;
    this.#monotonic = monotonic;
  }

  /** What is computed now; null when nothing is. */
  running(): RunningBatch | null {
    if (!this.#running) return null;
    const { model, since, limitMs } = this.#running;
    return { model, ms: this.#monotonic() - since, limitMs };
  }

  /** The same model, watched. */
  watch(model: LoadedModel): LoadedModel {
    const times = new BatchTimes();
    const { name } = model.deployment;
    const run: LoadedModel["run"] = async (inputs, outputs) => {
      const elements = inputs.reduce((sum, { data }) => sum + data.length, 0);
      const expected = times.expected(elements) ?? 0;
      const limitMs = Math.min(LONGEST_MS, Math.max(this.#floorMs, expected * FACTOR));
      const since = this.#monotonic();
      const mine = { model: name, since, limitMs };
      this.#running = mine;
      if (limitMs > this.#floorMs) this.#announce(limitMs);
      try {
        const values = await model.run(inputs, outputs);
        times.record(elements, this.#monotonic() - since);
        return values;
      } finally {
        if (this.#running === mine) this.#running = undefined;
        if (limitMs > this.#floorMs) this.#announce(null);
      }
    };
    return { ...model, run };
  }
}
