import type { Database } from "better-sqlite3";

/** Results and heartbeats lie in one table a day, by the day (UTC) they were received: old days go as a whole. */
export type DayTable = "results" | "heartbeats";

/** `source` is the outbox (`outbox_positions`), `build` what computed the result (`builds`): two numbers for 200 bytes. `withheld` is 1
 * for what came while the device did not pass attestation. */
export const RESULT_COLUMNS = [
  "source",
  "seq",
  "at",
  "received_at",
  "id",
  "build",
  "latency_us",
  "ok",
  "top_index",
  "top_score",
  "top_label",
  "failure_code",
  "failure_message",
  "withheld",
] as const;

/** `row` counts all heartbeats ever stored; `device` is a number of `health_scopes`; `power` and `inference` are JSON, see `health/heartbeat-rows.ts`. */
export const HEARTBEAT_COLUMNS = [
  "row",
  "device",
  "session",
  "seq",
  "at",
  "received_at",
  "uptime_seconds",
  "agent_rss",
  "runner_rss",
  "load_per_core",
  "free_memory_mib",
  "free_disk_mib",
  "temperature_c",
  "runner_restarts",
  "outbox_bytes",
  "power",
  "operational_ms",
  "connected_ms",
  "sync_succeeded",
  "sync_failed",
  "inference",
] as const;

const SCHEMAS: Record<DayTable, string> = {
  results: `(source INTEGER NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, received_at BIGINT NOT NULL,
    id TEXT NOT NULL, build INTEGER NOT NULL, latency_us BIGINT NOT NULL, ok INTEGER NOT NULL, top_index BIGINT,
    top_score DOUBLE PRECISION, top_label TEXT, failure_code TEXT, failure_message TEXT, withheld INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, seq)) WITHOUT ROWID`,
  // In the order of arrival: each insert goes to the end, where a key by device would touch a page of its own. As
  // the rowid itself it takes no room, and SQLite fills each page before it begins the next.
  heartbeats: `(row INTEGER PRIMARY KEY, device INTEGER NOT NULL, session TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL,
    received_at BIGINT NOT NULL, uptime_seconds BIGINT NOT NULL, agent_rss BIGINT NOT NULL,
    runner_rss BIGINT NOT NULL, load_per_core DOUBLE PRECISION NOT NULL, free_memory_mib BIGINT NOT NULL,
    free_disk_mib BIGINT NOT NULL, temperature_c DOUBLE PRECISION, runner_restarts BIGINT NOT NULL,
    outbox_bytes BIGINT NOT NULL, power TEXT, operational_ms BIGINT NOT NULL, connected_ms BIGINT NOT NULL,
    sync_succeeded BIGINT NOT NULL, sync_failed BIGINT NOT NULL, inference TEXT NOT NULL)`,
};

/** `results_20261122` for a moment of that day (UTC). */
export const dayTableName = (table: DayTable, at: number): string =>
  `${table}_${new Date(at).toISOString().slice(0, 10).replaceAll("-", "")}`;

export function ensureDayTable(db: Database, table: DayTable, name: string): void {
  db.exec(`CREATE TABLE IF NOT EXISTS ${name} ${SCHEMAS[table]}`);
}

/** Day tables that exist, oldest first. */
export function dayTables(db: Database, table: DayTable): string[] {
  const rows = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
  return rows
    .map(({ name }) => name)
    .filter((name) => new RegExp(`^${table}_\\d{8}$`).test(name))
    .sort();
}

/** Tables of days that ended more than `ms` milliseconds before `now`. */
export const oldDayTables = (db: Database, table: DayTable, now: number, ms: number): string[] =>
  dayTables(db, table).filter((name) => name < dayTableName(table, now - ms));
