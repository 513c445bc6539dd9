const WINDOW_MS = 60_000;
/** Events of one code in a window; the counts tell the rest. */
const MAX_OF_CODE = 10;

/** Lets an event pass unless the same was told within a minute, or many of its code were: inputs may fail at any rate. */
export class EventLimit {
  readonly #codes = new Map<string, { since: number; told: Set<string> }>();

  /** @param now monotonic milliseconds */
  passes(code: string, message: string, now: number): boolean {
    let window = this.#codes.get(code);
    if (!window || now - window.since >= WINDOW_MS) {
      window = { since: now, told: new Set() };
      this.#codes.set(code, window);
    }
    if (window.told.has(message) || window.told.size >= MAX_OF_CODE) return false;
    window.told.add(message);
    return true;
  }
}
