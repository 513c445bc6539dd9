interface Turn {
  /** When it is to be asked, milliseconds since the epoch. */
  at: number;
  /** Challenges since its last answer. */
  unanswered: number;
}

/** Asked again soon so many times; then as everybody else. */
const SOON_TIMES = 3;
/** Time before it is asked again, for one that did not answer, milliseconds. */
const SOON_MS = 150_000;

/** Who is asked when. A fleet that comes back at once is asked one after the other: `due` is called at a steady pace. */
export class Schedule {
  readonly #turns = new Map<string, Turn>();
  readonly #random: () => number;

  /** @param random 0 up to 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** It is asked within `withinMs` once `afterMs` are over, or earlier where it was to be asked earlier. */
  soon(device: string, now: number, withinMs: number, afterMs = 0): void {
    const turn = this.#turns.get(device);
    const at = now + afterMs + this.#random() * withinMs;
    if (!turn) this.#turns.set(device, { at, unanswered: 0 });
    else turn.at = Math.min(turn.at, at);
  }

  /** It is asked at this moment, and not before. */
  later(device: string, at: number): void {
    const turn = this.#turns.get(device);
    if (turn) turn.at = at;
  }

  /** It was asked. */
  asked(device: string, now: number, intervalMs: number): void {
    const turn = this.#turns.get(device) ?? { at: now, unanswered: 0 };
    turn.unanswered += 1;
    turn.at =
      now + (turn.unanswered <= SOON_TIMES ? Math.min(SOON_MS, intervalMs) : this.#spread(intervalMs));
    this.#turns.set(device, turn);
  }

  /** It answered. */
  answered(device: string, now: number, intervalMs: number): void {
    this.#turns.set(device, { at: now + this.#spread(intervalMs), unanswered: 0 });
  }

  /** It is not asked until it comes back. */
  forget(device: string): void {
    this.#turns.delete(device);
  }

  /** Challenges since its last answer. */
  unanswered(device: string): number {
    return this.#turns.get(device)?.unanswered ?? 0;
  }

  /** Those whose turn it is, at most `most`, the longest waiting first. */
  due(now: number, most: number): string[] {
    const due: [device: string, at: number][] = [];
    for (const [device, { at }] of this.#turns) if (at <= now) due.push([device, at]);
    due.sort(([, a], [, b]) => a - b);
    return due.slice(0, most).map(([device]) => device);
  }

  #spread(intervalMs: number): number {
    return intervalMs * (0.9 + 0.2 * this.#random());
  }
}
