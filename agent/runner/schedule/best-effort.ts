import type { Conditions } from "../../power/conditions.ts";

type Limits = Conditions["bestEffort"];

/** Asked to come again after a minute where nothing says how long none is computed, seconds. */
const UNKNOWN_WAIT_SECONDS = 60;

/** What the state of the box allows best-effort requests: a rate, or nothing until a moment. */
export class BestEffortGate {
  #limits: Limits = { perSecond: null, deferredUntil: null };
  #tokens = 0;
  #filledAt = 0;

  /** @param now monotonic milliseconds */
  set(limits: Limits, now: number): void {
    this.#refill(now);
    if (this.#limits.perSecond === null) this.#tokens = capacityOf(limits);
    this.#limits = limits;
    this.#tokens = Math.min(this.#tokens, capacityOf(limits));
    this.#filledAt = now;
  }

  /**
   * Lets so many rows pass, or says after how many seconds to ask again. A request of many rows is let through when
   * there is room for one and paid off by those after it.
   * @param now monotonic milliseconds
   * @param wall milliseconds since the epoch
   */
  admit(rows: number, now: number, wall: number): "pass" | { readonly afterSeconds: number } {
    const { perSecond, deferredUntil } = this.#limits;
    if (deferredUntil !== null && wall < deferredUntil)
      return { afterSeconds: Math.ceil((deferredUntil - wall) / 1000) };
    if (perSecond === null) return "pass";
    if (perSecond <= 0) return { afterSeconds: UNKNOWN_WAIT_SECONDS };
    this.#refill(now);
    if (this.#tokens < 1) return { afterSeconds: Math.max(1, Math.ceil((1 - this.#tokens) / perSecond)) };
    this.#tokens -= rows;
    return "pass";
  }

  #refill(now: number): void {
    const rate = this.#limits.perSecond ?? 0;
    this.#tokens = Math.min(capacityOf(this.#limits), this.#tokens + ((now - this.#filledAt) / 1000) * rate);
    this.#filledAt = now;
  }
}

/** One second's worth, and room for one. */
const capacityOf = ({ perSecond }: Limits): number => Math.max(1, perSecond ?? 0);
