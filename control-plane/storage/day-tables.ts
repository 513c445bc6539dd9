import type { Database } from "better-sqlite3";

/** Results and heartbeats lie in one table a day, by the day (UTC) they were received: dropping a table is cheap. */
export type DayTable = "results" | "heartbeats";

const DAY_MS = 86_400_000;

/** `source` is the outbox (`outbox_positions`), `build` what computed the result (`builds`): two numbers for 200 bytes. */
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
] as const;

export const HEARTBEAT_COLUMNS = [
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
  "inferences",
  "failures",
  "latency",
] as const;

const SCHEMAS: Record<DayTable, string> = {
  results: `source INTEGER NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, received_at BIGINT NOT NULL,
    id TEXT NOT NULL, build INTEGER NOT NULL, latency_us BIGINT NOT NULL, ok INTEGER NOT NULL, top_index BIGINT,
    top_score DOUBLE PRECISION, top_label TEXT, failure_code TEXT, failure_message TEXT,
    PRIMARY KEY (source, seq)`,
  heartbeats: `device TEXT NOT NULL, session TEXT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL,
    received_at BIGINT NOT NULL, uptime_seconds BIGINT NOT NULL, agent_rss BIGINT NOT NULL,
    runner_rss BIGINT NOT NULL, load_per_core DOUBLE PRECISION NOT NULL, free_memory_mib BIGINT NOT NULL,
    free_disk_mib BIGINT NOT NULL, temperature_c DOUBLE PRECISION, runner_restarts BIGINT NOT NULL,
    outbox_bytes BIGINT NOT NULL, inferences BIGINT NOT NULL, failures BIGINT NOT NULL, latency TEXT NOT NULL,
    PRIMARY KEY (device, session, seq)`,
};

/** `results_20261122` for a moment of that day (UTC). */
export const dayTableName = (table: DayTable, at: number): string =>
  `${table}_${new Date(at).toISOString().slice(0, 10).replaceAll("-", "")}`;

export function ensureDayTable(db: Database, table: DayTable, name: string): void {
  db.exec(`CREATE TABLE IF NOT EXISTS ${name} (${SCHEMAS[table]}) WITHOUT ROWID`);
}

/** Drops the tables of days that ended more than `days` days before `now`; gives their names. */
export function dropOldDays(db: Database, now: number, days: number): string[] {
  const rows = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
  const tables: DayTable[] = ["results", "heartbeats"];
  const dropped = tables.flatMap((table) => {
    const oldestKept = dayTableName(table, now - days * DAY_MS);
    return rows
      .map(({ name }) => name)
      .filter((name) => new RegExp(`^${table}_\\d{8}$`).test(name) && name < oldestKept);
  });
  for (const name of dropped) db.exec(`DROP TABLE ${name}`);
  return dropped;
}
