import { MusterError } from "@muster/shared/errors";

/** Decides when a request meets the runtime. Batching and tiers are other schedulers behind the same door. */
export interface Scheduler {
  /** @throws MusterError `inference.overloaded` when too many wait, or what the job throws */
  run<T>(job: () => Promise<T>): Promise<T>;
}

/** One job at a time in order of arrival: the runtime computes on the calling thread anyway. */
export class FifoScheduler implements Scheduler {
  readonly #limit: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** @param limit jobs that may wait or run */
  constructor(limit: number) {
    this.#limit = limit;
  }

  run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#limit)
      return Promise.reject(
        new MusterError(
          "inference.overloaded",
          `${this.#limit} requests wait already; send this one again later.`,
        ),
      );
    this.#waiting += 1;
    const result = this.#last.then(job);
    const settled = () => {
      this.#waiting -= 1;
    };
    this.#last = result.then(settled, settled);
    return result;
  }
}
