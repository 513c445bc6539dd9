import type { RecordKind } from "@muster/shared/protocol/messages";
import type BetterSqlite3 from "better-sqlite3";

export interface StateRow {
  id: string;
  last_seq: number;
  acked_seq: number;
  evicted: number;
  bytes: number;
}

export interface RecordRow {
  seq: number;
  kind: RecordKind;
  at: number;
  size: number;
  body: string;
}

type Statement<Parameters extends unknown[], Result = unknown> = BetterSqlite3.Statement<Parameters, Result>;

export interface Statements {
  create: Statement<[string]>;
  state: Statement<[], StateRow>;
  setState: Statement<[StateRow]>;
  insert: Statement<[number, string, number, number, string]>;
  after: Statement<[number, number], RecordRow>;
  oldest: Statement<[string, number], Pick<RecordRow, "seq" | "size">>;
  evict: Statement<[string, number]>;
  unreadGap: Statement<[number, string], RecordRow>;
  replace: Statement<[string, number, number, number]>;
  trimmed: Statement<[number], number>;
  trim: Statement<[number]>;
}

/** The outbox's SQL, prepared once. */
export const prepareStatements = (db: BetterSqlite3.Database): Statements => ({
  create: db.prepare("INSERT OR IGNORE INTO outbox_state VALUES (1, ?, 0, 0, 0, 0)"),
  state: db.prepare("SELECT id, last_seq, acked_seq, evicted, bytes FROM outbox_state"),
  setState: db.prepare(
    "UPDATE outbox_state SET id = @id, last_seq = @last_seq, acked_seq = @acked_seq, evicted = @evicted, bytes = @bytes",
  ),
  insert: db.prepare("INSERT INTO outbox_records (seq, kind, at, size, body) VALUES (?, ?, ?, ?, ?)"),
  after: db.prepare(
    "SELECT seq, kind, at, size, body FROM outbox_records WHERE seq > ? ORDER BY seq LIMIT ?",
  ),
  oldest: db.prepare("SELECT seq, size FROM outbox_records WHERE kind = ? ORDER BY seq LIMIT ?"),
  evict: db.prepare("DELETE FROM outbox_records WHERE kind = ? AND seq <= ?"),
  unreadGap: db.prepare(
    `SELECT seq, kind, at, size, body FROM outbox_records
     WHERE kind = 'gap' AND seq > ? AND body ->> 'kind' = ? ORDER BY seq DESC LIMIT 1`,
  ),
  replace: db.prepare("UPDATE outbox_records SET body = ?, size = ?, at = ? WHERE seq = ?"),
  trimmed: db
    .prepare<[number], number>("SELECT coalesce(sum(size), 0) FROM outbox_records WHERE seq <= ?")
    .pluck(),
  trim: db.prepare("DELETE FROM outbox_records WHERE seq <= ?"),
});
