/**
 * Paces connections before their TLS handshake, which is what costs: each admitted connection takes one slot
 * of `1000 / perSecond` ms, and up to a second of unused slots may be taken at once.
 */
export class AcceptPace {
  readonly #slotMs: number;
  readonly #longestWaitMs: number;
  #nextSlotAt = 0;

  constructor(perSecond: number, longestWaitMs: number) {
    this.#slotMs = 1000 / perSecond;
    this.#longestWaitMs = longestWaitMs;
  }

  /** Milliseconds that a connection arriving at `now` has to wait, undefined when it is to be turned away. */
  admit(now: number): number | undefined {
    const slot = Math.max(this.#nextSlotAt, now - 1000);
    const wait = Math.max(0, slot - now);
    if (wait > this.#longestWaitMs) return undefined;
    this.#nextSlotAt = slot + this.#slotMs;
    return wait;
  }
}
