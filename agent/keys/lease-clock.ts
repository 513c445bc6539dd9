export interface LeaseClockPorts {
  /** Milliseconds since the epoch, as the box believes. */
  readonly now: () => number;
  /** Milliseconds that only ever grow. */
  readonly monotonic: () => number;
  /** The latest moment that was known to be over when this process began. */
  readonly floor: number;
}

/**
 * The time by which leases end. A clock that is put back does not bring an ended lease back: time goes on from the
 * newest moment that the control plane signed, by the hours that the box has run since. A clock that is ahead ends
 * leases too soon and leaves no trace.
 */
export class LeaseClock {
  readonly #ports: LeaseClockPorts;
  #floor: number;
  #since: number;

  constructor(ports: LeaseClockPorts) {
    this.#ports = ports;
    this.#floor = ports.floor;
    this.#since = ports.monotonic();
  }

  /** What is certainly over by now. */
  get floor(): number {
    return this.#floor + Math.max(0, this.#ports.monotonic() - this.#since);
  }

  /** The control plane signed this moment just now. */
  learn(signed: number): void {
    if (signed <= this.floor) return;
    this.#floor = signed;
    this.#since = this.#ports.monotonic();
  }

  now(): number {
    return Math.max(this.#ports.now(), this.floor);
  }
}
