import { randomUUID } from "node:crypto";
import type { Ack } from "@muster/shared/protocol/messages";
import { PROTOCOL_VERSION } from "@muster/shared/protocol/primitives";
import type { Stores } from "../storage/database.ts";
import { ControlWriter, concernsControl } from "./control-writer.ts";
import {
  type BatchEntry,
  type Entry,
  type HeartbeatEntry,
  type Note,
  type PendingState,
  withoutRepeats,
} from "./entries.ts";
import type { HeartbeatBook, HeartbeatObserver } from "./heartbeat-observer.ts";
import type { RecordObserver } from "./record-observer.ts";
import { TelemetryWriter } from "./telemetry-writer.ts";

export interface Recorded {
  /** One for each outbox: what is stored of it now. */
  acks: { device: string; ack: Ack }[];
  records: number;
  repeats: number;
}

/** Writes a group of entries: control.db first, whose writes may be repeated, then telemetry.db with the positions. */
export class Recorder {
  readonly #stores: Stores;
  readonly #control: ControlWriter;
  readonly #telemetry: TelemetryWriter;
  readonly #heartbeats: HeartbeatBook;
  readonly #observers: readonly HeartbeatObserver[];
  readonly #keepers: readonly RecordObserver[];

  /**
   * @param keepers keep records of other kinds than results
   * @param isWithheld true for a device that does not pass attestation now: what it tells is marked
   */
  constructor(
    stores: Stores,
    heartbeats: HeartbeatBook,
    observers: readonly HeartbeatObserver[],
    keepers: readonly RecordObserver[] = [],
    isWithheld: (device: string) => boolean = () => false,
  ) {
    this.#stores = stores;
    this.#keepers = keepers;
    this.#heartbeats = heartbeats;
    this.#observers = [heartbeats, ...observers];
    this.#control = new ControlWriter(stores.controlRaw, isWithheld);
    this.#telemetry = new TelemetryWriter(stores.telemetryRaw, isWithheld);
  }

  /**
   * All of it is committed when this resolves. Call it once at a time.
   * @throws MusterError of the `storage.` family; then nothing of it counts as stored
   */
  async write(states: readonly PendingState[], entries: readonly Entry[]): Promise<Recorded> {
    const sent = entries.filter((entry): entry is BatchEntry => entry.kind === "batch");
    const beats = this.#heartbeats.select(
      entries.filter((entry): entry is HeartbeatEntry => entry.kind === "heartbeat"),
    );
    const notes = entries
      .filter((entry): entry is Note => entry.kind === "note")
      .map((note) => ({ ...note, id: `${note.device}/${randomUUID()}` }));
    const batches = withoutRepeats(sent, (device, outbox) => this.#telemetry.positionOf(device, outbox));

    for (const keeper of this.#keepers) await keeper.prepare(batches);
    const forControl = batches.filter(concernsControl);
    if (states.length > 0 || forControl.length > 0 || notes.length > 0)
      await this.#stores.writeControl(() => this.#control.write(states, forControl, notes));
    if (batches.length > 0 || beats.length > 0)
      await this.#stores.writeTelemetry((db) => {
        this.#telemetry.write(batches);
        for (const keeper of this.#keepers) keeper.store(db, batches);
        for (const observer of this.#observers) observer.store?.(db, beats);
      });
    for (const observer of this.#observers) observer.stored(beats);
    for (const keeper of this.#keepers) keeper.stored(batches);

    const acks = new Map<string, { device: string; ack: Ack }>();
    for (const { device, outbox, upTo } of batches)
      acks.set(`${device}/${outbox}`, { device, ack: { v: PROTOCOL_VERSION, outbox, upTo } });
    const records = batches.reduce((sum, batch) => sum + batch.records.length, 0);
    const all = sent.reduce((sum, { batch }) => sum + batch.records.length, 0);
    return { acks: [...acks.values()], records, repeats: all - records };
  }

  /** Day tables may have been dropped, or their creation rolled back. */
  forgetTables(): void {
    this.#telemetry.forgetTables();
    this.#heartbeats.forgetTables();
  }
}
