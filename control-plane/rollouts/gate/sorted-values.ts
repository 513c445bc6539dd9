/** Values in order, to which more are added while ranks are asked for. */
export class SortedValues {
  readonly #fixed: Float64Array;
  readonly #added: number[] = [];

  constructor(values: readonly number[]) {
    this.#fixed = Float64Array.from(values).sort();
  }

  get size(): number {
    return this.#fixed.length + this.#added.length;
  }

  add(value: number): void {
    this.#added.splice(firstFrom(this.#added, value), 0, value);
  }

  /** How many are higher than `value`, and how many equal it. */
  compare(value: number): { higher: number; equal: number } {
    let higher = 0;
    let equal = 0;
    for (const values of [this.#fixed, this.#added]) {
      const first = firstFrom(values, value);
      const after = firstFrom(values, value, true);
      equal += after - first;
      higher += values.length - after;
    }
    return { higher, equal };
  }
}

/** Index of the first value that is not less than `value`, or with `beyond` that is more. */
function firstFrom(values: ArrayLike<number>, value: number, beyond = false): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const here = values[middle] ?? 0;
    if (here < value || (beyond && here === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
