/** Lets at most `limit` things a minute pass for each key; the counts of a minute are forgotten with it. */
export class RateWindow {
  readonly #limit: number;
  #minute = 0;
  readonly #counts = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `now` in milliseconds. */
  passes(key: string, now: number): boolean {
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#counts.clear();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count <= this.#limit;
  }
}
