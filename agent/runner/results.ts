import { isErrorCode, MusterError } from "@muster/shared/errors";
import type { Failure } from "@muster/shared/protocol/primitives";
import type { ResultRecord } from "../inference/ports.ts";

/** Time in which results that nobody waits for gather, milliseconds. */
const GATHER_MS = 50;
/** Results that are sent without waiting longer. */
const GATHER_RECORDS = 200;
/** Most results in one message. */
const MESSAGE_RECORDS = 1000;
/** Wait after the supervisor could not store, milliseconds. */
const RETRY_MS = 1000;

interface Waiter {
  left: number;
  resolve(): void;
  reject(error: MusterError): void;
}

interface Entry {
  readonly record: ResultRecord;
  readonly waiter: Waiter | undefined;
}

export type SendResults = (batch: number, records: ResultRecord[], dropped: number) => void;

/**
 * Holds results until the supervisor has stored them. One message is on its way at a time, so that everything that
 * comes meanwhile shares the next transaction. At the limit the oldest result that nobody waits for is dropped and
 * counted; when somebody waits for every one of them, new ones are refused. A crash takes what is held with it: the
 * last 50 ms while the store works, and never a result that somebody was told is stored.
 */
export class ResultBuffer {
  readonly #limit: number;
  readonly #send: SendResults;
  #queue: Entry[] = [];
  #inFlight: Entry[] | undefined;
  #batch = 0;
  #dropped = 0;
  #touched = false;
  #planned: { durable: boolean; cancel(): void } | undefined;
  #retryAt = 0;
  #onEmpty: (() => void) | undefined;

  constructor(limit: number, send: SendResults) {
    this.#limit = limit;
    this.#send = send;
  }

  /** Takes results that nobody waits for. */
  add(records: readonly ResultRecord[]): void {
    this.#append(records.map((record) => ({ record, waiter: undefined })));
    this.#schedule(this.#queue.length >= GATHER_RECORDS ? 0 : GATHER_MS, false);
  }

  /** Something was counted that leaves no result: the sums go out soon all the same. */
  touch(): void {
    this.#touched = true;
    this.#schedule(GATHER_MS, false);
  }

  /**
   * Resolves when the supervisor has stored all of these.
   * @throws MusterError `inference.overloaded` when there is no room, or why they could not be stored
   */
  store(records: readonly ResultRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { left: records.length, resolve, reject };
      const entries = records.map((record) => ({ record, waiter }));
      if (this.#roomFor(entries.length)) {
        this.#append(entries);
        this.#schedule(0, true);
      } else {
        reject(new MusterError("inference.overloaded", `${this.#limit} results wait to be stored already.`));
      }
    });
  }

  /** The supervisor's answer to a message: stored, or why not. */
  stored(batch: number, failure: Failure | undefined): void {
    if (batch !== this.#batch || !this.#inFlight) return;
    const entries = this.#inFlight;
    this.#inFlight = undefined;
    if (failure) this.#notStored(entries, failure);
    else for (const { waiter } of entries) if (waiter && --waiter.left === 0) waiter.resolve();
    if (this.#queue.length > 0)
      this.#schedule(
        0,
        this.#queue.some(({ waiter }) => waiter),
      );
    else if (this.#touched) this.#schedule(GATHER_MS, false);
    else this.#onEmpty?.();
  }

  /** Resolves when nothing is held any more. */
  emptied(): Promise<void> {
    if (this.#queue.length === 0 && !this.#inFlight && !this.#touched) return Promise.resolve();
    this.#schedule(0, false);
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #notStored(entries: readonly Entry[], { code, message }: Failure): void {
    const error = new MusterError(isErrorCode(code) ? code : "internal.unexpected", message);
    const refused = new Set(entries.map(({ waiter }) => waiter).filter((waiter) => waiter !== undefined));
    for (const waiter of refused) waiter.reject(error);
    const kept = [...entries, ...this.#queue].filter(({ waiter }) => !waiter || !refused.has(waiter));
    this.#queue = [];
    this.#append(kept);
    this.#retryAt = performance.now() + RETRY_MS;
  }

  #roomFor(count: number): boolean {
    const held = (this.#inFlight?.length ?? 0) + this.#queue.length;
    const droppable = this.#queue.reduce((sum, { waiter }) => sum + (waiter ? 0 : 1), 0);
    return held - droppable + count <= this.#limit;
  }

  #append(entries: readonly Entry[]): void {
    // One request may have more rows than a call may have arguments.
    for (const entry of entries) this.#queue.push(entry);
    let excess = (this.#inFlight?.length ?? 0) + this.#queue.length - this.#limit;
    if (excess <= 0) return;
    this.#queue = this.#queue.filter(({ waiter }) => {
      if (waiter || excess <= 0) return true;
      excess -= 1;
      this.#dropped += 1;
      return false;
    });
  }

  /** After a failure only a waiting caller makes us try before the retry time. */
  #schedule(delayMs: number, durable: boolean): void {
    const delay = Math.max(delayMs, this.#retryAt - performance.now());
    if (this.#planned?.durable || (this.#planned && !durable && delay > 0)) return;
    this.#planned?.cancel();
    if (durable) {
      const immediate = setImmediate(() => this.#flush());
      this.#planned = { durable, cancel: () => clearImmediate(immediate) };
    } else {
      const timer = setTimeout(() => this.#flush(), delay);
      this.#planned = { durable, cancel: () => clearTimeout(timer) };
    }
  }

  #flush(): void {
    this.#planned = undefined;
    if (this.#inFlight || (this.#queue.length === 0 && !this.#touched)) return;
    this.#touched = false;
    const failing = performance.now() < this.#retryAt;
    if (failing) this.#queue.sort((a, b) => Number(Boolean(b.waiter)) - Number(Boolean(a.waiter)));
    this.#inFlight = this.#queue.splice(0, MESSAGE_RECORDS);
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#batch += 1;
    this.#send(
      this.#batch,
      this.#inFlight.map(({ record }) => record),
      dropped,
    );
  }
}
