import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import { ROLLUP_KEPT_MS, ROLLUPS, RollupStore } from "../health/rollup-store.ts";
import type { Stores } from "../storage/database.ts";
import { type DayTable, oldDayTables } from "../storage/day-tables.ts";

export interface RetentionSettings {
  resultDays: number;
  /** Heartbeats as they came; what they say is in the sums for longer. */
  heartbeatHours: number;
  eventsPerDevice: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Outboxes remembered for each device; a device has a new one only after it lost its disk. */
const OUTBOXES_PER_DEVICE = 8;
/** Rows deleted in one transaction, and devices whose events are looked at in one: some milliseconds each. */
const ROWS_AT_ONCE = 1_000;
const DEVICES_AT_ONCE = 25;
/** Pause between two transactions, milliseconds: ingest and rollouts go first. */
const PAUSE_MS = 10;

const KEYS: Record<DayTable, string> = { results: "source, seq", heartbeats: "row" };

/** Applies retention when it is told to: one run at a time. */
export class Retention {
  readonly #stores: Stores;
  readonly #settings: RetentionSettings;
  readonly #now: () => number;
  readonly #dropped: () => void;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  /** @param dropped told after tables were dropped */
  constructor(stores: Stores, settings: RetentionSettings, now: () => number, dropped: () => void) {
    this.#stores = stores;
    this.#settings = settings;
    this.#now = now;
    this.#dropped = dropped;
  }

  run(): Promise<void> {
    this.#running ??= applyRetention(this.#stores, this.#settings, this.#now(), this.#stopping.signal)
      .then((tables) => {
        if (tables.length > 0) this.#dropped();
      })
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
  }
}

/**
 * Deletes what exceeds the settings, a little at a time: day tables, sums, events, gaps and outbox positions.
 * @param signal ends it early; the next run goes on
 * @returns the names of the dropped tables
 */
export async function applyRetention(
  stores: Stores,
  settings: RetentionSettings,
  now: number,
  signal?: AbortSignal,
): Promise<string[]> {
  /** Repeats a transaction that deletes at most some rows until it finds none. */
  const until = async (work: (db: Database) => number): Promise<void> => {
    while (!signal?.aborted && (await stores.writeTelemetry(work)) > 0) await sleep(PAUSE_MS);
  };
  await trimEvents(stores, settings.eventsPerDevice, signal);
  await stores.writeTelemetry(trimPositions);
  const resultMs = settings.resultDays * DAY_MS;
  await until((db) => deleteSome(db, "gaps", "device, outbox, seq", "WHERE received_at < ?", now - resultMs));
  const rollups = new RollupStore(stores.telemetryRaw);
  for (const rollup of ROLLUPS)
    await until(() => rollups.prune(rollup, now - ROLLUP_KEPT_MS[rollup], ROWS_AT_ONCE));
  const { telemetryRaw: db } = stores;
  const old = [
    ...oldDayTables(db, "results", now, resultMs).map((name) => ({ name, key: KEYS.results })),
    ...oldDayTables(db, "heartbeats", now, settings.heartbeatHours * HOUR_MS).map((name) => ({
      name,
      key: KEYS.heartbeats,
    })),
  ];
  const dropped: string[] = [];
  for (const { name, key } of old) {
    // Dropping a table visits each of its pages: seconds, where it is a gigabyte.
    await until(() => deleteSome(db, name, key));
    if (signal?.aborted) break;
    await stores.writeTelemetry(() => db.exec(`DROP TABLE ${name}`));
    dropped.push(name);
  }
  return dropped;
}

const deleteSome = (db: Database, table: string, key: string, where = "", ...values: number[]): number =>
  db
    .prepare(
      `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} ${where} LIMIT ${ROWS_AT_ONCE})`,
    )
    .run(...values).changes;

/** The index by device and time leads to the oldest events of each device. */
async function trimEvents(stores: Stores, kept: number, signal?: AbortSignal): Promise<void> {
  const devices = stores.controlReader.prepare<[], string>("SELECT id FROM devices").pluck().all();
  const trim = stores.controlRaw.prepare(
    `DELETE FROM device_events WHERE id IN (
       SELECT id FROM device_events WHERE device = ? ORDER BY received_at DESC, id LIMIT ? OFFSET ?)`,
  );
  const has = stores.controlReader
    .prepare<[string, number], number>("SELECT 1 FROM device_events WHERE device = ? LIMIT 1 OFFSET ?")
    .pluck();
  for (let first = 0; first < devices.length && !signal?.aborted; first += DEVICES_AT_ONCE) {
    const chunk = devices.slice(first, first + DEVICES_AT_ONCE).filter((device) => has.get(device, kept));
    if (chunk.length > 0)
      await stores.writeControl(() => {
        for (const device of chunk) trim.run(device, ROWS_AT_ONCE, kept);
      });
    await sleep(0);
  }
}

/** Few devices have more than one outbox: the key of the table tells which. */
function trimPositions(db: Database): void {
  const many = db
    .prepare<[number], string>("SELECT device FROM outbox_positions GROUP BY device HAVING count(*) > ?")
    .pluck()
    .all(OUTBOXES_PER_DEVICE);
  const trim = db.prepare(
    `DELETE FROM outbox_positions WHERE (device, outbox) IN (
       SELECT device, outbox FROM outbox_positions WHERE device = ?
       ORDER BY at DESC, outbox LIMIT ? OFFSET ?)`,
  );
  for (const device of many.slice(0, ROWS_AT_ONCE)) trim.run(device, ROWS_AT_ONCE, OUTBOXES_PER_DEVICE);
}
