/** Holds what waits, up to a limit. */
export class BoundedQueue<T> {
  readonly #items: T[] = [];
  readonly #limit: number;
  readonly #drop: "oldest" | "newest";
  #taker: ((item: T | undefined) => void) | undefined;
  #isClosed = false;

  /** @param drop what a full queue lets go when one more comes */
  constructor(limit: number, drop: "oldest" | "newest") {
    this.#limit = limit;
    this.#drop = drop;
  }

  get size(): number {
    return this.#items.length;
  }

  /** @returns what was let go for it, or it itself; undefined when there was room */
  push(item: T): T | undefined {
    if (this.#isClosed) return item;
    if (this.#taker) {
      const taker = this.#taker;
      this.#taker = undefined;
      taker(item);
      return undefined;
    }
    if (this.#items.length < this.#limit) {
      this.#items.push(item);
      return undefined;
    }
    if (this.#drop === "newest") return item;
    this.#items.push(item);
    return this.#items.shift();
  }

  /** The next in order, when there is one; undefined once it is closed. One taker at a time. */
  take(): Promise<T | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => {
      this.#taker = resolve;
    });
  }

  /** Wakes the taker with nothing. @returns what still waited */
  close(): T[] {
    this.#isClosed = true;
    this.#taker?.(undefined);
    this.#taker = undefined;
    return this.#items.splice(0);
  }
}
