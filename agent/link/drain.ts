import type { MusterError } from "@muster/shared/errors";
import type { Outbox } from "../outbox/outbox.ts";
import { asStorageError } from "../storage/errors.ts";
import { encodeBatch } from "./batch.ts";
import {
  ackDeadline,
  afterAck,
  afterSend,
  afterTime,
  type DrainSettings,
  type DrainWindow,
  nextAfter,
  openWindow,
} from "./drain-window.ts";

/** New records wait this long for company, milliseconds. */
const COALESCE_MS = 50;

export interface DrainPorts {
  outbox: Outbox;
  publish: (batch: string) => void;
  /** The outbox could not be read. */
  failed: (error: MusterError) => void;
  /** Milliseconds that only grow. */
  monotonic: () => number;
}

/** Sends the outbox over one session, window by window, until `stop`. */
export class Drain {
  readonly #ports: DrainPorts;
  readonly #settings: DrainSettings;
  readonly #session: string;
  #window: DrainWindow;
  #timer: NodeJS.Timeout | undefined;
  #wake: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(ports: DrainPorts, settings: DrainSettings, session: string) {
    this.#ports = ports;
    this.#settings = settings;
    this.#session = session;
    this.#window = openWindow(ports.outbox.position().ackedSeq);
  }

  /** Tells that there are new records. */
  wake(): void {
    if (this.#wake || this.#stopped) return;
    this.#wake = setTimeout(() => {
      this.#wake = undefined;
      this.pump();
    }, COALESCE_MS);
  }

  /** Tells that the outbox took an acknowledgement up to `upTo`. */
  acknowledged(upTo: number): void {
    this.#window = afterAck(this.#window, upTo, this.#ports.monotonic());
    this.pump();
  }

  /** Begins again from the acknowledged position: the outbox has a new id. */
  restart(): void {
    this.#window = openWindow(this.#ports.outbox.position().ackedSeq);
    this.pump();
  }

  /** Sends what the window has room for. When the disk fails it is tried again later. */
  pump(): void {
    if (this.#stopped) return;
    this.#window = afterTime(this.#window, this.#ports.monotonic(), this.#settings);
    let retryMs: number | undefined;
    try {
      this.#fill();
    } catch (error) {
      this.#ports.failed(asStorageError(error));
      retryMs = this.#settings.ackTimeoutMs;
    }
    this.#arm(retryMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#wake);
  }

  #fill(): void {
    for (;;) {
      const after = nextAfter(this.#window, this.#settings);
      const upTo = after === undefined ? undefined : this.#send(after);
      if (upTo === undefined) return;
      this.#window = afterSend(this.#window, upTo, this.#ports.monotonic());
    }
  }

  #send(after: number): number | undefined {
    const { batchRecords, batchBytes } = this.#settings;
    const records = this.#ports.outbox.read(after, batchRecords, batchBytes);
    const last = records.at(-1);
    if (!last) return undefined;
    const { id } = this.#ports.outbox.position();
    this.#ports.publish(encodeBatch(this.#session, id, records));
    return last.seq;
  }

  #arm(retryMs?: number): void {
    clearTimeout(this.#timer);
    const deadline = ackDeadline(this.#window, this.#settings);
    const waitMs = retryMs ?? (deadline === undefined ? undefined : deadline - this.#ports.monotonic());
    if (waitMs !== undefined) this.#timer = setTimeout(() => this.pump(), Math.max(1, waitMs));
  }
}
