const HOUR_MS = 3_600_000;

/** Replacements that are needed again soon are further and further apart: a fresh runner does not help there. */
export class RecyclePace {
  readonly #minMs: number;
  #lastAt = Number.NEGATIVE_INFINITY;
  #inARow = 0;

  /** @param minMs shortest time between two replacements, milliseconds; it doubles up to an hour */
  constructor(minMs: number) {
    this.#minMs = minMs;
  }

  /** @param at monotonic milliseconds */
  allows(at: number): boolean {
    return at - this.#lastAt >= Math.min(HOUR_MS, this.#minMs * 2 ** Math.max(0, this.#inARow - 1));
  }

  taken(at: number): void {
    this.#inARow = at - this.#lastAt > HOUR_MS ? 1 : this.#inARow + 1;
    this.#lastAt = at;
  }
}
