import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import Database from "better-sqlite3";
import { asStorageError, isBroken } from "./errors.ts";

export interface OpenOptions {
  /** Milliseconds since the epoch; names the file that a broken database is moved to. */
  now?: () => number;
  /** Told after a broken database was moved aside: the path it has now and why. */
  onBroken?: (movedTo: string, reason: string) => void;
}

/** How long a statement waits for another connection's lock, milliseconds. */
const BUSY_TIMEOUT_MS = 5000;
/** The write-ahead log is cut back to this after a checkpoint, bytes. */
const WAL_LIMIT_BYTES = 8 * 1024 * 1024;

/**
 * Opens the agent's database: WAL, `synchronous=FULL`, so that what a transaction stored survives a power cut.
 * A file that fails `quick_check` is moved aside with the suffix `.broken-<time>`, logs included, and a fresh
 * database takes its place: a box that nobody visits must go on working.
 * @throws MusterError `storage.full`, or `settings.invalid` when the path cannot be opened
 */
export function openDatabase(file: string, options: OpenOptions = {}): Database.Database {
  try {
    return openChecked(file);
  } catch (error) {
    if (!isBroken(error)) throw error;
    const movedTo = moveAside(file, (options.now ?? Date.now)());
    const db = openChecked(file);
    options.onBroken?.(movedTo, error instanceof Error ? error.message : String(error));
    return db;
  }
}

function openChecked(file: string): Database.Database {
  let db: Database.Database;
  try {
    db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  } catch (cause) {
    if (isBroken(cause)) throw asStorageError(cause);
    throw new MusterError("settings.invalid", `The database ${file} cannot be opened.`, { cause });
  }
  try {
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma(`journal_size_limit = ${WAL_LIMIT_BYTES}`);
    db.pragma("foreign_keys = ON");
    const verdict = db.pragma("quick_check(1)", { simple: true });
    if (verdict !== "ok") throw new MusterError("storage.broken", `quick_check says: ${String(verdict)}`);
    return db;
  } catch (cause) {
    db.close();
    throw asStorageError(cause);
  }
}

/**
 * The log files go with the database: a fresh file beside an old WAL would be broken again. Only the newest broken
 * database is kept, since a disk that is dying breaks one after the other.
 */
function moveAside(file: string, now: number): string {
  for (const name of readdirSync(dirname(file)))
    if (name.startsWith(`${basename(file)}.broken-`)) rmSync(join(dirname(file), name));
  const suffix = `.broken-${new Date(now).toISOString().replaceAll(":", "")}`;
  for (const part of ["", "-wal", "-shm"])
    if (existsSync(file + part)) renameSync(file + part, `${file}${suffix}${part}`);
  return file + suffix;
}

/**
 * Brings the tables of `module` to the version of this program: statement n makes version n. Each runs once,
 * in order, in one transaction. The list may only grow.
 * @throws MusterError `storage.newer` when the file was written by a later version of the module
 */
export function migrate(db: Database.Database, module: string, statements: readonly string[]): void {
  const run = db.transaction(() => {
    db.exec(
      "CREATE TABLE IF NOT EXISTS schema_version (module TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    );
    const version =
      db
        .prepare<[string], number>("SELECT version FROM schema_version WHERE module = ?")
        .pluck()
        .get(module) ?? 0;
    if (version > statements.length)
      throw new MusterError(
        "storage.newer",
        `The tables of ${module} have version ${version}; this program knows ${statements.length}.`,
      );
    // A program that starts on a full disk has nothing to write here.
    if (version === statements.length) return;
    for (const statement of statements.slice(version)) db.exec(statement);
    db.prepare("INSERT OR REPLACE INTO schema_version (module, version) VALUES (?, ?)").run(
      module,
      statements.length,
    );
  });
  try {
    run.immediate();
  } catch (cause) {
    throw asStorageError(cause);
  }
}
