/** Sizes are told apart by powers of two; more than these do not occur. */
const MOST_BUCKETS = 48;
/** Share of the longest time that is forgotten with each shorter one. */
const FORGET = 0.01;

/** Longest times that a model took of late, by the size of its input. */
export class BatchTimes {
  readonly #longest: (number | undefined)[] = [];

  /** @param elements values of all inputs @param ms time that the model took */
  record(elements: number, ms: number): void {
    const bucket = bucketOf(elements);
    this.#longest[bucket] = Math.max(ms, (this.#longest[bucket] ?? 0) * (1 - FORGET));
  }

  /**
   * The longest time to expect, milliseconds; from the nearest smaller size in proportion, or from a larger one, where
   * this size was never seen. Undefined before anything was.
   */
  expected(elements: number): number | undefined {
    const bucket = bucketOf(elements);
    for (let smaller = bucket; smaller >= 0; smaller--) {
      const ms = this.#longest[smaller];
      if (ms !== undefined) return ms * 2 ** (bucket - smaller);
    }
    return this.#longest.find((ms) => ms !== undefined);
  }
}

const bucketOf = (elements: number): number =>
  Math.min(MOST_BUCKETS - 1, Math.ceil(Math.log2(Math.max(1, elements))));
