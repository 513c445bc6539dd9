/** Heartbeats remembered; with default keepalive and interval there are 8. */
const MOST = 32;

interface Sent {
  readonly payload: string;
  sentAt: number;
}

/**
 * Heartbeats that a dying connection may have swallowed: nobody acknowledges them. They are sent again, as they were,
 * in the next session; who has them already knows them by session and number. So no counter is lost or told twice.
 */
export class RecentHeartbeats {
  readonly #graceMs: number;
  readonly #monotonic: () => number;
  #sent: Sent[] = [];

  /** @param graceMs time after which a connection that still stands has delivered what was sent, milliseconds */
  constructor(graceMs: number, monotonic: () => number) {
    this.#graceMs = graceMs;
    this.#monotonic = monotonic;
  }

  /** This one goes out now; what went out long enough ago by the same connection has arrived. */
  sends(payload: string): void {
    const sentAt = this.#monotonic();
    this.#sent = [
      ...this.#sent.filter((each) => sentAt - each.sentAt < this.#graceMs),
      { payload, sentAt },
    ].slice(-MOST);
  }

  /** A new session begins: what has to go out again, the oldest first. */
  again(): string[] {
    const sentAt = this.#monotonic();
    for (const each of this.#sent) each.sentAt = sentAt;
    return this.#sent.map(({ payload }) => payload);
  }
}
