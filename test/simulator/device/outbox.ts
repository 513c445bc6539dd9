import {
  ackDeadline,
  afterAck,
  afterSend,
  afterTime,
  type DrainSettings,
  type DrainWindow,
  nextAfter,
  openWindow,
} from "@muster/agent/link/drain-window";
import type { OutboxRecord } from "@muster/shared/protocol/messages";

/** A record that is JSON text already. */
interface Kept {
  seq: number;
  text: string;
}

type NewRecord = OutboxRecord extends infer R ? (R extends OutboxRecord ? Omit<R, "seq"> : never) : never;

/**
 * Records that the control plane has not acknowledged yet, and which of them are on their way. In memory: a
 * simulated device loses its connection, never its disk. The window over `seq` is the agent's own.
 */
export class SimulatedOutbox {
  readonly id: string;
  lastSeq = 0;
  ackedSeq = 0;
  #kept: Kept[] = [];
  #window: DrainWindow = openWindow(0);

  constructor(id: string) {
    this.id = id;
  }

  get waiting(): number {
    return this.#kept.length;
  }

  get bytes(): number {
    return this.#kept.reduce((sum, { text }) => sum + text.length, 0);
  }

  append(record: NewRecord): void {
    this.lastSeq += 1;
    this.#kept.push({ seq: this.lastSeq, text: JSON.stringify({ seq: this.lastSeq, ...record }) });
  }

  /** A new session sends again whatever is not acknowledged. */
  reopen(): void {
    this.#window = openWindow(this.ackedSeq);
  }

  /** @returns true when records left the outbox */
  acknowledge(outbox: string, upTo: number, now: number): boolean {
    if (outbox !== this.id || upTo <= this.ackedSeq || upTo > this.lastSeq) return false;
    this.ackedSeq = upTo;
    this.#kept = this.#kept.filter(({ seq }) => seq > upTo);
    this.#window = afterAck(this.#window, upTo, now);
    return true;
  }

  /** The batches that the window has room for; they count as sent. */
  take(rule: DrainSettings, now: number): Kept[][] {
    this.#window = afterTime(this.#window, now, rule);
    const batches: Kept[][] = [];
    for (;;) {
      const after = nextAfter(this.#window, rule);
      const rows = after === undefined ? [] : this.#rows(after, rule);
      const last = rows.at(-1);
      if (!last) return batches;
      batches.push(rows);
      this.#window = afterSend(this.#window, last.seq, now);
    }
  }

  /** When something is to be sent again, undefined while nothing is on its way. */
  deadline(rule: DrainSettings): number | undefined {
    return ackDeadline(this.#window, rule);
  }

  #rows(after: number, { batchRecords, batchBytes }: DrainSettings): Kept[] {
    const from = this.#kept.findIndex(({ seq }) => seq > after);
    if (from < 0) return [];
    const rows: Kept[] = [];
    let bytes = 0;
    for (let index = from; index < this.#kept.length && rows.length < batchRecords; index += 1) {
      const row = this.#kept[index]!;
      bytes += row.text.length;
      if (rows.length > 0 && bytes > batchBytes) break;
      rows.push(row);
    }
    return rows;
  }
}
