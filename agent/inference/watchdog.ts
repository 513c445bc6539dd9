/**
 * Counts pings that were not answered. Pings are counted and not the time: a machine or a supervisor that slept must
 * not make a healthy runner look hung.
 */
export class Watchdog {
  #sent = 0;
  #answered = 0;

  /**
   * The number of the ping to send now, or `hung`.
   * @param patience unanswered pings that are one too many
   */
  beat(patience: number): number | "hung" {
    if (this.#sent - this.#answered >= patience) return "hung";
    this.#sent += 1;
    return this.#sent;
  }

  answered(ping: number): void {
    this.#answered = Math.max(this.#answered, ping);
  }

  /** It gave another sign of life: pings on their way will be answered next. */
  alive(): void {
    this.#answered = this.#sent;
  }
}
