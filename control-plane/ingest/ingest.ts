import { asMusterError, isMusterError, type MusterError } from "@muster/shared/errors";
import type { Evidence } from "@muster/shared/protocol/evidence";
import type { Ack, Batch } from "@muster/shared/protocol/messages";
import type { UpChannel } from "@muster/shared/protocol/topics";
import type { Presence } from "../fleet/presence.ts";
import type { Stores } from "../storage/database.ts";
import { decodeUp, type UpMessage } from "./decode.ts";
import type { BatchEntry, Entry, PendingState } from "./entries.ts";
import { EntryQueue } from "./entry-queue.ts";
import type { HeartbeatBook, HeartbeatObserver } from "./heartbeat-observer.ts";
import { RateWindow } from "./rate-window.ts";
import type { RecordObserver } from "./record-observer.ts";
import { Recorder } from "./recorder.ts";

export interface IngestPorts {
  /** Tells the device what is stored. */
  acknowledge(device: string, ack: Ack): void;
  /** Ends the session of a device whose batch could not be taken: it begins again from what was acknowledged. */
  disconnect(device: string): void;
  /** Keeps heartbeats. */
  heartbeats: HeartbeatBook;
  /** Count what heartbeats say. */
  observers?: readonly HeartbeatObserver[];
  /** Keep records of other kinds than results. */
  keepers?: readonly RecordObserver[];
  /** Asks devices for evidence and appraises it. */
  attestation?: Attester;
  /** True for a device that does not pass attestation now: what it tells is marked. */
  isWithheld?: (device: string) => boolean;
  onError(error: MusterError): void;
}

/** Who is told of sessions and of what devices run, and takes evidence. Running releases go by their digest. */
export interface Attester {
  born(device: string, running: string | null): void;
  told(device: string, running: string | null): void;
  take(device: string, evidence: Evidence): void;
}

export interface IngestSettings {
  flushMs: number;
  flushRecords: number;
  queueRecords: number;
  notesPerMinute: number;
}

export interface IngestCounters {
  messages: number;
  /** Results, updates, events and gaps stored for the first time. */
  records: number;
  repeats: number;
  refused: number;
  stale: number;
  malformed: number;
  flushes: number;
  failedFlushes: number;
}

/** Records written in one transaction; more would hold up the event loop for too long. */
const MAX_FLUSH_RECORDS = 2_000;
const LONGEST_RETRY_MS = 10_000;
/** Heartbeats kept of one device within a minute; more only tell that it is there. */
const HEARTBEATS_PER_MINUTE = 120;

/**
 * Takes what devices publish, writes it in groups and acknowledges outbox records after the commit.
 *
 * An acknowledgement covers everything before it. So once a batch of a session could not be taken, no later one
 * of that session is: the device sends all of it again in its next session, and nothing is skipped.
 */
export class Ingest {
  readonly counters: IngestCounters = {
    messages: 0,
    records: 0,
    repeats: 0,
    refused: 0,
    stale: 0,
    malformed: 0,
    flushes: 0,
    failedFlushes: 0,
  };
  readonly #presence: Presence;
  readonly #settings: IngestSettings;
  readonly #ports: IngestPorts;
  readonly #now: () => number;
  readonly #recorder: Recorder;
  readonly #queue: EntryQueue;
  readonly #noteRate: RateWindow;
  readonly #heartbeatRate = new RateWindow(HEARTBEATS_PER_MINUTE);
  /** Session of each device in which a batch could not be taken. */
  readonly #broken = new Map<string, string>();
  #states = new Map<string, PendingState>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  #flushing: Promise<void> | undefined;
  #failures = 0;
  #closed = false;

  constructor(
    stores: Stores,
    presence: Presence,
    settings: IngestSettings,
    ports: IngestPorts,
    now: () => number,
  ) {
    this.#presence = presence;
    this.#settings = settings;
    this.#ports = ports;
    this.#now = now;
    this.#recorder = new Recorder(
      stores,
      ports.heartbeats,
      ports.observers ?? [],
      ports.keepers ?? [],
      ports.isWithheld,
    );
    this.#queue = new EntryQueue(settings.queueRecords);
    this.#noteRate = new RateWindow(settings.notesPerMinute);
  }

  /** Takes one message of a device that the broker let through. Never throws. */
  handle(device: string, channel: UpChannel, payload: Uint8Array): void {
    if (this.#closed) return;
    this.counters.messages += 1;
    let message: UpMessage;
    try {
      message = decodeUp(channel, payload);
    } catch (error) {
      this.counters.malformed += 1;
      // The records in it cannot be read, so nothing after them may be acknowledged either.
      const session = this.#presence.sessionOf(device);
      if (channel === "batch" && session !== null) this.#broken.set(device, session);
      this.note(device, asMusterError(error), `${channel}: `);
      return;
    }
    this.#dispatch(device, message);
  }

  /** Records something about a device among its events, at most a few a minute. */
  note(device: string, error: MusterError, prefix = ""): void {
    const receivedAt = this.#now();
    if (!this.#noteRate.passes(device, receivedAt)) return;
    const message = `${prefix}${error.message}`.slice(0, 1000);
    this.#enqueue({ kind: "note", device, code: error.code, message, receivedAt });
  }

  /** How full the queue of records that wait for the database is, 0 to 1. */
  get fill(): number {
    return this.#queue.records / this.#settings.queueRecords;
  }

  /** Undefined while there is room; otherwise a promise of it. */
  room(): Promise<void> | undefined {
    return this.#queue.room();
  }

  /** Writes all that waits now. */
  async flush(): Promise<void> {
    await this.#flushing;
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    this.#timer = undefined;
    this.#soon = undefined;
    this.#flushing ??= this.#drain().finally(() => {
      this.#flushing = undefined;
      if (!this.#closed && this.#waits()) this.#schedule();
    });
    await this.#flushing;
  }

  /** Writes what waits and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  /** Day tables were dropped: what was prepared for them is not good any more. */
  forgetTables(): void {
    this.#recorder.forgetTables();
  }

  #dispatch(device: string, message: UpMessage): void {
    const receivedAt = this.#now();
    switch (message.channel) {
      case "birth": {
        const { session, state, hardware, agentVersion } = message.body;
        const begun = this.#presence.beginSession(device, session);
        if (begun === "former") {
          this.counters.stale += 1;
          return;
        }
        this.#keepState({ device, session, seq: 0, receivedAt, state, birth: { hardware, agentVersion } });
        this.#ports.attestation?.born(device, state.running?.digest ?? null);
        return;
      }
      case "state": {
        const { session, seq, state } = message.body;
        this.#presence.seen(device);
        if (!this.#presence.isCurrent(device, session)) {
          this.counters.stale += 1;
          return;
        }
        this.#keepState({ device, session, seq, receivedAt, state });
        this.#ports.attestation?.told(device, state.running?.digest ?? null);
        return;
      }
      case "heartbeat":
        this.#presence.seen(device);
        if (this.#heartbeatRate.passes(device, receivedAt))
          this.#enqueue({ kind: "heartbeat", device, beat: message.body, receivedAt });
        return;
      case "batch":
        this.#presence.seen(device);
        this.#takeBatch(device, message.body, receivedAt);
        return;
      case "evidence":
        this.#presence.seen(device);
        this.#ports.attestation?.take(device, message.body.evidence);
        return;
      case "will":
        if (!this.#presence.endSession(device, message.body.session)) this.counters.stale += 1;
    }
  }

  #keepState(next: PendingState): void {
    const waiting = this.#states.get(next.device);
    if (waiting?.session === next.session && waiting.seq >= next.seq) return;
    const birth = next.birth ?? waiting?.birth;
    this.#states.set(next.device, birth ? { ...next, birth } : next);
    this.#schedule();
  }

  #takeBatch(device: string, batch: Batch, receivedAt: number): void {
    if (this.#broken.get(device) === batch.session) {
      this.counters.refused += 1;
      return;
    }
    const entry: BatchEntry = { kind: "batch", device, batch, receivedAt };
    if (this.#queue.fits(batch.records.length)) this.#enqueue(entry);
    else this.#refuse(entry);
  }

  #refuse({ device, batch }: BatchEntry): void {
    this.counters.refused += 1;
    this.#broken.set(device, batch.session);
    this.#ports.disconnect(device);
  }

  #enqueue(entry: Entry): void {
    this.#queue.push(entry);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#flushing) return;
    if (this.#queue.records >= this.#settings.flushRecords) this.#flushSoon();
    else this.#arm();
  }

  /** After what other connections have ready has come in too: each commit waits for the disk, and holds more then. */
  #flushSoon(): void {
    this.#soon ??= setImmediate(() => void this.flush());
  }

  /** While the database refuses, ever longer: trying more often would mend nothing. */
  #arm(): void {
    const delay = Math.min(this.#settings.flushMs * 2 ** this.#failures, LONGEST_RETRY_MS);
    this.#timer ??= setTimeout(() => void this.flush(), delay);
  }

  #waits(): boolean {
    return this.#queue.records > 0 || this.#states.size > 0;
  }

  async #drain(): Promise<void> {
    do {
      const states = [...this.#states.values()];
      this.#states = new Map();
      await this.#store(states, this.#queue.take(MAX_FLUSH_RECORDS));
    } while (this.#queue.records >= this.#settings.flushRecords);
  }

  async #store(states: readonly PendingState[], entries: Entry[]): Promise<void> {
    try {
      await this.#write(states, entries);
      this.#failures = 0;
      return;
    } catch (error) {
      this.#failed(error);
      for (const state of states) if (!this.#states.has(state.device)) this.#states.set(state.device, state);
      // Each of them would fail alike, and hold up the event loop.
      if (isMusterError(error, "storage.full") || isMusterError(error, "storage.broken"))
        return this.#refuseAll(entries);
    }
    // One entry that the database does not take must not take the others with it.
    for (const entry of entries)
      try {
        await this.#write([], [entry]);
      } catch (error) {
        this.#failed(error);
        this.#refuseAll([entry]);
      }
  }

  async #write(states: readonly PendingState[], entries: readonly Entry[]): Promise<void> {
    const isTaken = (entry: Entry) =>
      entry.kind !== "batch" || this.#broken.get(entry.device) !== entry.batch.session;
    const { acks, records, repeats } = await this.#recorder.write(states, entries.filter(isTaken));
    this.counters.flushes += 1;
    this.counters.records += records;
    this.counters.repeats += repeats;
    for (const { device, ack } of acks) this.#ports.acknowledge(device, ack);
  }

  #failed(error: unknown): void {
    this.counters.failedFlushes += 1;
    this.#failures += 1;
    this.#recorder.forgetTables();
    this.#ports.onError(asMusterError(error));
  }

  #refuseAll(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.kind === "batch") this.#refuse(entry);
  }
}
