const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
/** Part of a day's examples that one hour may take: a bad hour must not use up the day. */
const HOURS_SHARE = 8;

/** How many examples of a model may be kept yet, by the clock hour (UTC) and over the last 24 of them. */
export class Allowance {
  readonly #perDay: number;
  readonly #perHour: number;
  /** Kept by clock hour. */
  readonly #hours = new Map<number, number>();

  constructor(perDay: number) {
    this.#perDay = perDay;
    this.#perHour = Math.ceil(perDay / HOURS_SHARE);
  }

  /** Takes one if there is one. @param at milliseconds since the epoch */
  take(at: number): boolean {
    const hour = Math.floor(at / HOUR_MS);
    let day = 0;
    for (const [each, count] of this.#hours) {
      // A clock that was set back leaves hours that are to come: they are of another time.
      if (each <= hour - DAY_HOURS || each > hour) this.#hours.delete(each);
      else day += count;
    }
    const now = this.#hours.get(hour) ?? 0;
    if (now >= this.#perHour || day >= this.#perDay) return false;
    this.#hours.set(hour, now + 1);
    return true;
  }
}
