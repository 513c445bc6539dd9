/**
 * Counts pings that were not answered. Pings are counted and not the time: a machine or a supervisor that slept must
 * not make a healthy runner look hung.
 */
export class Watchdog {
  readonly #patience: number;
  #sent = 0;
  #answered = 0;

  /** @param patience unanswered pings that are one too many */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /** The number of the ping to send now, or `hung`. */
  beat(): number | "hung" {
    if (this.#sent - this.#answered >= this.#patience) return "hung";
    this.#sent += 1;
    return this.#sent;
  }

  answered(ping: number): void {
    this.#answered = Math.max(this.#answered, ping);
  }
}
