/** Spreads work evenly: no burst after a pause. */
export class Pace {
  readonly #intervalMs: number;
  #nextAt = Number.NEGATIVE_INFINITY;

  /** @param perSecond undefined for no limit */
  constructor(perSecond: number | undefined) {
    this.#intervalMs = perSecond === undefined ? 0 : 1000 / perSecond;
  }

  /**
   * Takes the next turn.
   * @param now monotonic milliseconds
   * @returns how long to wait for it, milliseconds
   */
  turn(now: number): number {
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#intervalMs;
    return at - now;
  }
}
