import { setImmediate as breathe } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import type { HeartbeatEntry } from "../ingest/entries.ts";
import type { FreshHeartbeat, HeartbeatBook } from "../ingest/heartbeat-observer.ts";
import type { Stores } from "../storage/database.ts";
import type { Accumulator, Era } from "./accumulator.ts";
import { BeatCounter, type CountingPorts } from "./beat-counter.ts";
import { bucketWrites, type Closing } from "./bucket-writes.ts";
import { BUCKET_MS, bucketOf, HOUR_MS, hourOf } from "./buckets.ts";
import { DeviceRecord } from "./device-record.ts";
import { type Group, Groups } from "./groups.ts";
import { HeartbeatRows } from "./heartbeat-rows.ts";
import { RollupStore } from "./rollup-store.ts";
import { Scopes } from "./scopes.ts";
import { isFresh, type SessionMarks, withMark } from "./sessions.ts";

export interface LedgerPorts extends CountingPorts {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Rows that one transaction writes, and heartbeats read at a time: each some milliseconds of the event loop. */
const WRITE_CHUNK = 250;
const READ_CHUNK = 2_000;
/** How far the clock may be set back before figures go to the time that it tells then. */
const SET_BACK_MS = 2 * BUCKET_MS;

/**
 * Takes heartbeats, stores them as they came, and sums them up by device, site, class and release. Sums of the open
 * bucket and hour are in memory; a bucket is written when it has closed, some rows at a time. What is stored says up
 * to which heartbeat it counts, and a start counts those after it again: nothing is lost or counted twice.
 */
export class HeartbeatLedger implements HeartbeatBook {
  readonly groups = new Groups();
  readonly scopes: Scopes;
  readonly rollups: RollupStore;
  readonly #stores: Stores;
  readonly #ports: LedgerPorts;
  readonly #rows: HeartbeatRows;
  readonly #counter: BeatCounter;
  readonly #devices = new Map<string, DeviceRecord>();
  #open: number;
  /** The bucket closed last, and the latest bucket and hour that were ever closed. */
  #closed = Number.NEGATIVE_INFINITY;
  #latest = { bucket: Number.NEGATIVE_INFINITY, hour: Number.NEGATIVE_INFINITY };
  #closedHour = Number.NEGATIVE_INFINITY;
  #era: Era = { number: 0, beganHour: false };
  #closing: Closing | undefined;
  #closingRun: Promise<void> | undefined;
  /** Newest row that is in the sums. */
  #applied = 0;
  #nextRow = 1;
  /** Repeats that were dropped. */
  repeats = 0;

  /** Reads what is stored and counts the heartbeats that it does not hold. @throws MusterError `storage.broken` */
  static async open(stores: Stores, ports: LedgerPorts): Promise<HeartbeatLedger> {
    const ledger = new HeartbeatLedger(stores, ports);
    await ledger.#load();
    return ledger;
  }

  private constructor(stores: Stores, ports: LedgerPorts) {
    this.#stores = stores;
    this.#ports = ports;
    this.scopes = new Scopes(stores);
    this.#counter = new BeatCounter(this.groups, ports);
    this.rollups = new RollupStore(stores.telemetryRaw);
    this.#rows = new HeartbeatRows(stores.telemetryRaw, this.scopes, (digest) => ports.isRelease(digest));
    this.#open = bucketOf(ports.now());
  }

  /** Begin of the open bucket, milliseconds since the epoch. */
  get openBucket(): number {
    return this.#open;
  }

  /** Begin of the bucket that closed last. */
  get lastClosed(): number {
    return this.#closed;
  }

  /** Begin of the hour that ended last: not the one before the open one where whole hours were slept through. */
  get lastClosedHour(): number {
    return this.#closedHour;
  }

  /** The bucket closed last is the one just before the open one. */
  get closedIsRecent(): boolean {
    return this.#closed === this.#open - BUCKET_MS;
  }

  record(device: string): DeviceRecord | undefined {
    const record = this.#devices.get(device);
    record?.sums.follow(this.#era);
    return record;
  }

  /** Undefined where nothing was counted. */
  group(kind: Group["kind"], name: string): Accumulator | undefined {
    return this.groups.known(kind, name)?.sums.follow(this.#era);
  }

  select(entries: readonly HeartbeatEntry[]): FreshHeartbeat[] {
    const marks = new Map<string, SessionMarks>();
    const fresh: FreshHeartbeat[] = [];
    for (const { device, beat, receivedAt } of entries) {
      const known = marks.get(device) ?? this.#devices.get(device)?.marks ?? [];
      if (!isFresh(known, beat.session, beat.seq)) {
        this.repeats += 1;
        continue;
      }
      marks.set(device, withMark(known, beat.session, beat.seq));
      fresh.push({ device, beat, receivedAt, row: this.#nextRow + fresh.length });
    }
    return fresh;
  }

  store(_db: Database, beats: readonly FreshHeartbeat[]): void {
    for (const beat of beats) this.#rows.insert(beat);
  }

  stored(beats: readonly FreshHeartbeat[]): void {
    for (const beat of beats) this.#count(beat);
  }

  forgetTables(): void {
    this.#rows.forgetTables();
  }

  /** Closes the bucket when its time is over and writes it; call it every second or so. */
  async tick(): Promise<void> {
    const bucket = bucketOf(this.#ports.now());
    const setBack = bucket < this.#open - SET_BACK_MS;
    if ((bucket > this.#open || setBack) && !this.#closing) this.#roll(bucket);
    await this.#close();
  }

  /** Ends writing; what is not written yet is counted again by the next start. */
  async close(): Promise<void> {
    await this.#closingRun?.catch(() => undefined);
  }

  #count(fresh: FreshHeartbeat): void {
    const { device, beat, receivedAt, row } = fresh;
    const record = this.#recordOf(device);
    this.#applied = Math.max(this.#applied, row);
    this.#nextRow = this.#applied + 1;
    record.marks = withMark(record.marks, beat.session, beat.seq);
    // A late one of the session before has sums to add, but says nothing about now.
    if (record.marks.at(-1)?.[0] === beat.session) {
      const { session, seq, at, uptimeSeconds, health } = beat;
      record.newest = { session, seq, receivedAt, at, uptimeSeconds, health };
    }
    this.#counter.count(record, fresh, this.#open, this.#era);
  }

  #recordOf(device: string): DeviceRecord {
    let record = this.#devices.get(device);
    if (!record) {
      record = new DeviceRecord(device, this.#open);
      this.#devices.set(device, record);
    }
    return record;
  }

  #roll(next: number): void {
    const endsHour = hourOf(next) !== hourOf(this.#open);
    this.#era = { number: this.#era.number + 1, beganHour: endsHour };
    const bucket = this.#open;
    const hour = endsHour ? hourOf(bucket) : undefined;
    const again = {
      bucket: bucket <= this.#latest.bucket,
      hour: hour !== undefined && hour <= this.#latest.hour,
    };
    this.#closing = { bucket, hour, row: this.#applied, again };
    this.#closed = bucket;
    this.#closedHour = hour ?? this.#closedHour;
    this.#latest.bucket = Math.max(this.#latest.bucket, bucket);
    this.#latest.hour = Math.max(this.#latest.hour, hour ?? this.#latest.hour);
    this.#open = next;
  }

  /** Writes the closed bucket; what fails is tried again with the next tick, from the beginning. */
  #close(): Promise<void> {
    const closing = this.#closing;
    if (!closing) return Promise.resolve();
    this.#closingRun ??= this.#write(closing).finally(() => {
      this.#closingRun = undefined;
    });
    return this.#closingRun;
  }

  async #write(closing: Closing): Promise<void> {
    const writes = bucketWrites(closing, {
      devices: this.#devices.values(),
      groups: this.groups,
      scopes: this.scopes,
      rollups: this.rollups,
      open: this.#open,
      era: this.#era,
    });
    const { again, row } = closing;
    // Adding to rows is not to be repeated: all of it or nothing.
    const chunk = again.bucket || again.hour ? Number.POSITIVE_INFINITY : WRITE_CHUNK;
    for (let last = false; !last; ) {
      await breathe();
      await this.#stores.writeTelemetry(() => {
        for (let count = 0; count < chunk; count += 1) {
          const { value: write, done: end } = writes.next();
          last = end === true;
          if (last) break;
          (write as () => void)();
        }
        if (last) this.rollups.setProgress({ row, ...this.#latest });
      });
    }
    this.#closing = undefined;
  }

  async #load(): Promise<void> {
    const { progress } = this.rollups;
    const whole = progress?.bucket ?? Number.NEGATIVE_INFINITY;
    for (const { device, state } of this.rollups.states()) this.#recordOf(device).takeState(state, whole);
    if (progress) {
      this.#applied = progress.row;
      this.#closed = progress.bucket;
      this.#latest = { bucket: progress.bucket, hour: progress.hour };
    }
    this.#nextRow = Math.max(this.#applied, this.#rows.newest()) + 1;
    let [next] = this.#rows.after(this.#applied, 1);
    if (next) this.#open = this.#bucketAfterStart(next.receivedAt);
    this.#restore();
    while (next) {
      const found = this.#rows.after(this.#applied, READ_CHUNK);
      for (const beat of found) {
        await this.#advance(beat.receivedAt);
        this.#count(beat);
      }
      next = found.at(-1);
    }
    this.#nextRow = Math.max(this.#nextRow, this.#applied + 1);
    await this.#advance(this.#ports.now());
  }

  /** A heartbeat that came when its bucket was closed already counts in the next one. */
  #bucketAfterStart(at: number): number {
    const bucket = bucketOf(at);
    const next = this.#closed + BUCKET_MS;
    return bucket < next - SET_BACK_MS ? bucket : Math.max(bucket, next);
  }

  async #advance(at: number): Promise<void> {
    const bucket = this.#bucketAfterStart(at);
    if (bucket <= this.#open && bucket >= this.#open - SET_BACK_MS) return;
    this.#roll(bucket);
    await this.#close();
  }

  /** Reads back what was in memory of closed buckets: the last one, and those of the open hour. */
  #restore(): void {
    const hour = hourOf(this.#open);
    this.#closedHour = hour - HOUR_MS;
    const scopeOf = (level: "device" | "group", scope: number): Accumulator | undefined => {
      const found = this.scopes.byId(scope);
      if (!found) return undefined;
      if (found.kind === "device") return this.#recordOf(found.name).sums.follow(this.#era);
      return level === "group" ? this.groups.of(found.kind, found.name).sums.follow(this.#era) : undefined;
    };
    for (const level of ["device", "group"] as const) {
      for (let bucket = hour; bucket < this.#open && bucket <= this.#closed; bucket += BUCKET_MS)
        for (const { scope, sums } of this.rollups.inBucket(`${level}_5m`, bucket))
          scopeOf(level, scope)?.addToHour(sums);
      if (this.closedIsRecent)
        for (const { scope, sums } of this.rollups.inBucket(`${level}_5m`, this.#closed))
          scopeOf(level, scope)?.takeClosed(sums);
      for (const { scope, sums } of this.rollups.inBucket(`${level}_1h`, hour - HOUR_MS))
        scopeOf(level, scope)?.takeClosedHour(sums);
    }
  }
}
