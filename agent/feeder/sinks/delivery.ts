import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, type MusterError } from "@muster/shared/errors";
import { fullJitter } from "../../backoff.ts";
import { BoundedQueue } from "../bounded-queue.ts";
import { FEEDER_DEFAULTS, type Sink } from "../config.ts";
import type { SinkStatus } from "../control.ts";
import type { Result } from "../item.ts";

const BACKOFF = { minMs: 500, maxMs: 60_000 };
/** How long it goes on to deliver what waits when it is told to end. */
const LINGER_MS = 1000;

/** One way to hand a result over. */
export interface Carrier {
  /** @throws MusterError `sink.undelivered` to be tried again, `sink.refused` for good */
  deliver(result: Result, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface DeliveryPorts {
  readonly status: SinkStatus;
  readonly random: () => number;
  readonly trouble: (error: MusterError) => void;
}

/**
 * Delivers results to one sink in order, each until it is taken, refused or given up. While a sink is away the oldest
 * that wait are dropped: the outbox has them all.
 */
export class Delivery {
  readonly #sink: Sink;
  readonly #carrier: Carrier;
  readonly #ports: DeliveryPorts;
  readonly #queue: BoundedQueue<Result>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #busy = false;

  constructor(sink: Sink, carrier: Carrier, ports: DeliveryPorts) {
    this.#sink = sink;
    this.#carrier = carrier;
    this.#ports = ports;
    this.#queue = new BoundedQueue(sink.queueLimit ?? FEEDER_DEFAULTS.sinkQueue, "oldest");
  }

  start(): void {
    this.#running = this.#run();
  }

  get waiting(): number {
    return this.#queue.size;
  }

  push(result: Result): void {
    if (this.#queue.push(result) !== undefined) this.#ports.status.dropped += 1;
  }

  async close(): Promise<void> {
    const end = performance.now() + LINGER_MS;
    while ((this.#busy || this.#queue.size > 0) && performance.now() < end) await sleep(20);
    this.#ports.status.dropped += this.#queue.close().length;
    this.#stop.abort();
    await this.#running;
    await this.#carrier.close();
  }

  async #run(): Promise<void> {
    for (;;) {
      const result = await this.#queue.take();
      if (!result) return;
      this.#busy = true;
      const ok = await this.#deliver(result);
      this.#busy = false;
      this.#ports.status[ok ? "delivered" : "failed"] += 1;
    }
  }

  async #deliver(result: Result): Promise<boolean> {
    const { tries = FEEDER_DEFAULTS.sinkTries } = this.#sink;
    const { signal } = this.#stop;
    for (let tried = 1; !signal.aborted; tried++) {
      try {
        await this.#carrier.deliver(result, signal);
        return true;
      } catch (cause) {
        const error = asMusterError(cause, "sink.undelivered");
        if (signal.aborted) return false;
        this.#ports.trouble(error);
        if (error.code === "sink.refused" || tried >= tries) return false;
      }
      await sleep(fullJitter(BACKOFF, tried, this.#ports.random()), undefined, { signal }).catch(() => {});
    }
    return false;
  }
}
