import { MOST_INPUT_BYTES } from "./mutate-bytes.ts";

const HEAD_INTS = 4;

/** What is being tried, in memory that outlives the thread that tries it. */
export class Flight {
  readonly shared: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(shared = new SharedArrayBuffer(HEAD_INTS * 4 + MOST_INPUT_BYTES)) {
    this.shared = shared;
    this.#head = new Int32Array(shared, 0, HEAD_INTS);
    this.#bytes = new Uint8Array(shared, HEAD_INTS * 4);
  }

  /** @param target its number in the list */
  begin(target: number, input: Uint8Array): void {
    this.#bytes.set(input.subarray(0, MOST_INPUT_BYTES));
    this.#head[1] = target;
    this.#head[2] = Math.min(input.length, MOST_INPUT_BYTES);
    Atomics.add(this.#head, 0, 1);
  }

  get number(): number {
    return Atomics.load(this.#head, 0);
  }

  get target(): number {
    return this.#head[1] ?? 0;
  }

  get input(): Buffer {
    return Buffer.from(this.#bytes.slice(0, this.#head[2] ?? 0));
  }
}
