import type { LoadedModel } from "../model.ts";

/** Time between two readings, milliseconds. */
const PERIOD_MS = 100;

/** Processor time so far of what computes the model, microseconds. */
function cpuUsOf({ deployment, usage }: LoadedModel): number {
  if (deployment.runtime) return usage().cpuUs;
  const { user, system } = process.cpuUsage();
  return user + system;
}

/**
 * Processor time of a model's batches. To ask the system for it takes longer than a small model does: it is asked
 * ten times a second at most, and batches between are taken to use the processor as the last one asked about did.
 */
export class CpuMeter {
  readonly #model: LoadedModel;
  /** Processor time for a unit of time. */
  #share = 1;
  #before: number | undefined;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(model: LoadedModel) {
    this.#model = model;
  }

  /** A batch begins. @param now monotonic milliseconds */
  begin(now: number): void {
    this.#before = now < this.#nextAt ? undefined : cpuUsOf(this.#model);
  }

  /** It has ended. @returns its processor time, microseconds */
  end(ms: number, now: number): number {
    const before = this.#before;
    this.#before = undefined;
    if (before !== undefined && ms > 0) {
      // A server that has ended used nothing any more.
      this.#share = Math.max(0, cpuUsOf(this.#model) - before) / (ms * 1000);
      this.#nextAt = now + PERIOD_MS;
    }
    return ms * 1000 * this.#share;
  }
}
