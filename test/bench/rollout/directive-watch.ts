import type { Actor } from "../../simulator/swarm.ts";

/**
 * When devices take directives up and when their updates fail, by the clock that they live by. It listens where
 * the device has verified the directive, so nothing has to be asked of ten thousand devices again and again.
 */
export class DirectiveWatch {
  /** Failures of updates since `expect`, in their order, milliseconds since the epoch. */
  failedAt: number[] = [];
  /** When the last of the devices that hold the expected directive took it up. */
  lastHeldAt = 0;
  readonly #held = new Set<string>();
  #isExpected: (digest: string) => boolean = () => false;

  constructor(actors: readonly Actor[]) {
    for (const { model } of actors) {
      const { update } = model;
      const order = update.order.bind(update);
      const apply = update.apply.bind(update);
      update.order = (given, now) => {
        if (given.release && this.#isExpected(given.release.digest)) this.#hold(model.id, now);
        order(given, now);
      };
      update.apply = (event, now) => {
        if (event.type === "failed") this.failedAt.push(now);
        apply(event, now);
      };
    }
  }

  /** Counts from now on who takes up a directive to run such a release. */
  expect(isExpected: (digest: string) => boolean): void {
    this.#isExpected = isExpected;
    this.#held.clear();
    this.lastHeldAt = 0;
    this.failedAt = [];
  }

  /** Devices that hold it. */
  get held(): number {
    return this.#held.size;
  }

  #hold(device: string, now: number): void {
    if (this.#held.has(device)) return;
    this.#held.add(device);
    this.lastHeldAt = Math.max(this.lastHeldAt, now);
  }
}
