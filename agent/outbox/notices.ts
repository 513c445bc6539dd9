import type { NewRecord } from "./records.ts";

/** Codes that are remembered; beyond it the oldest is forgotten and may be told early. */
const MAX_CODES = 64;

/**
 * Turns what goes wrong into event records, at most one per code and interval; the next one says how many were
 * left out. A flood of bad messages must not fill the outbox.
 */
export class Notices {
  readonly #append: (records: NewRecord[]) => void;
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #told = new Map<string, { at: number; leftOut: number }>();

  constructor(append: (records: NewRecord[]) => void, intervalMs: number, now: () => number) {
    this.#append = append;
    this.#intervalMs = intervalMs;
    this.#now = now;
  }

  /** @returns false when it was only counted */
  note(code: string, message: string): boolean {
    const at = this.#now();
    const known = this.#told.get(code);
    // A clock that was set back must not silence a code for long.
    if (known && Math.abs(at - known.at) < this.#intervalMs) {
      known.leftOut += 1;
      return false;
    }
    const leftOut = known?.leftOut ? ` (and ${known.leftOut} more since the last one)` : "";
    this.#told.delete(code);
    this.#told.set(code, { at, leftOut: 0 });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_CODES && oldest !== undefined) this.#told.delete(oldest);
    const text = message.slice(0, 900) + leftOut;
    this.#append([{ kind: "event", at, body: { code, message: text } }]);
    return true;
  }
}
