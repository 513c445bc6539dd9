import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import Sqlite from "better-sqlite3";
import { asStorageError } from "./errors.ts";

/**
 * Takes the data directory for this process alone. The lock is one of SQLite's, so the operating system lets it
 * go with the process, however that ends.
 * @returns a function that gives it back
 * @throws MusterError `settings.invalid` when the directory cannot be used, `storage.in-use` with the pid of the process that has it
 */
export async function lockDataDirectory(dataDir: string): Promise<() => void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    const error = asStorageError(cause, dataDir);
    if (error.code === "storage.full") throw error;
    throw new MusterError("settings.invalid", `${dataDir} cannot hold the data: ${cause.message}.`, {
      cause,
    });
  });
  let db: Sqlite.Database | undefined;
  try {
    db = new Sqlite(join(dataDir, "control.lock"), { timeout: 200 });
    db.exec(
      "CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER NOT NULL)",
    );
    db.exec(`INSERT OR REPLACE INTO holder VALUES (1, ${process.pid})`);
    // Kept open for good: it keeps every other writer out and lets readers see who holds it.
    db.exec("BEGIN IMMEDIATE");
    const held = db;
    return () => held.close();
  } catch (error) {
    const holder = holderOf(db);
    db?.close();
    if ((error as { code?: string }).code !== "SQLITE_BUSY") throw asStorageError(error, dataDir);
    throw new MusterError("storage.in-use", `Process ${holder} works in ${dataDir}.`, { cause: error });
  }
}

function holderOf(db: Sqlite.Database | undefined): string {
  try {
    return String(db?.prepare("SELECT pid FROM holder").pluck().get());
  } catch {
    return "of unknown id";
  }
}
