import { chmodSync, existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import Sqlite, { type Database } from "better-sqlite3";
import { Kysely, type Migration, Migrator, SqliteDialect } from "kysely";
import { asStorageError } from "./errors.ts";
import { controlMigrations, telemetryMigrations } from "./migrations/index.ts";
import type { ControlTables, TelemetryTables } from "./tables/index.ts";

/** Pages of 4 KiB between checkpoints: results come in bulk, and each checkpoint writes every page a second time. */
const TELEMETRY_CHECKPOINT_PAGES = 8_000;

/** The two databases of a control plane. */
export interface Stores {
  /** Devices, tokens, releases, rollouts, operators. */
  readonly control: Kysely<ControlTables>;
  /** Results, heartbeats, outbox positions. */
  readonly telemetry: Kysely<TelemetryTables>;
  /** The same connections without Kysely, for prepared statements. Write only inside `writeControl`/`writeTelemetry`. */
  readonly controlRaw: Database;
  readonly telemetryRaw: Database;
  /** Another connection to control.db that only reads: it sees what is committed and waits for no transaction. */
  readonly controlReader: Database;
  /**
   * Runs `work` in one transaction of control.db. It waits its turn behind transactions of Kysely, which share
   * the connection; `work` is synchronous, so nothing slips in between.
   * @throws MusterError `storage.full` and others of the `storage.` family
   */
  writeControl<T>(work: (db: Database) => T): Promise<T>;
  writeTelemetry<T>(work: (db: Database) => T): Promise<T>;
  /** `listener` is told of each `writeTelemetry` whether it was committed, before another one begins. */
  onTelemetryWritten(listener: (committed: boolean) => void): void;
  close(): Promise<void>;
}

/**
 * Opens both databases of the data directory, makes them on the first start and migrates them to this version.
 * A broken or vanished database is never replaced by an empty one.
 * @throws MusterError `storage.broken` or `storage.newer`
 */
export async function openStores(dataDir: string): Promise<Stores> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const controlFile = join(dataDir, "control.db");
  const telemetryFile = join(dataDir, "telemetry.db");
  if (!existsSync(controlFile) && existsSync(join(dataDir, "ca", "ca.crt")))
    throw new MusterError(
      "storage.broken",
      `${controlFile} is missing although this directory was in use: restore it from a backup.`,
    );
  const controlRaw = openFile(controlFile, { check: true });
  let telemetryRaw: Database | undefined;
  let controlReader: Database | undefined;
  try {
    telemetryRaw = openFile(telemetryFile, { check: false });
    telemetryRaw.pragma(`wal_autocheckpoint = ${TELEMETRY_CHECKPOINT_PAGES}`);
    const control = new Kysely<ControlTables>({ dialect: new SqliteDialect({ database: controlRaw }) });
    const telemetry = new Kysely<TelemetryTables>({ dialect: new SqliteDialect({ database: telemetryRaw }) });
    await migrate(control, controlMigrations, controlFile);
    await migrate(telemetry, telemetryMigrations, telemetryFile);
    controlReader = openFile(controlFile, { check: false });
    controlReader.pragma("query_only = ON");
    const reader = controlReader;
    const listeners: ((committed: boolean) => void)[] = [];
    const written = (committed: boolean) => {
      for (const listener of listeners) listener(committed);
    };
    return {
      control,
      telemetry,
      controlRaw,
      telemetryRaw,
      controlReader,
      writeControl: (work) => exclusively(control, controlRaw, work),
      writeTelemetry: (work) => exclusively(telemetry, telemetryRaw as Database, work, written),
      onTelemetryWritten: (listener) => void listeners.push(listener),
      close: async () => {
        reader.close();
        await control.destroy();
        await telemetry.destroy();
      },
    };
  } catch (error) {
    controlRaw.close();
    telemetryRaw?.close();
    controlReader?.close();
    throw error;
  }
}

async function exclusively<Tables, T>(
  kysely: Kysely<Tables>,
  raw: Database,
  work: (db: Database) => T,
  written: (committed: boolean) => void = () => {},
): Promise<T> {
  const write = async (): Promise<T> => {
    let committed = false;
    try {
      const result = raw.transaction(work).immediate(raw);
      committed = true;
      return result;
    } finally {
      written(committed);
    }
  };
  try {
    return await kysely.connection().execute(write);
  } catch (error) {
    throw asStorageError(error);
  }
}

function openFile(file: string, { check }: { check: boolean }): Database {
  let db: Database | undefined;
  try {
    db = new Sqlite(file);
    // Its journals take their mode from it.
    chmodSync(file, 0o600);
    db.pragma("busy_timeout = 5000");
    db.pragma("journal_mode = WAL");
    // Also for telemetry: a device forgets what was acknowledged, so it has to outlive a power cut here.
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    // A full check of many gigabytes of results would delay each start; the decisions are small.
    const found = check ? db.pragma("quick_check(1)", { simple: true }) : "ok";
    if (found !== "ok") throw new MusterError("storage.broken", `${file} is damaged: ${found}.`);
    return db;
  } catch (error) {
    db?.close();
    throw asStorageError(error, file);
  }
}

async function migrate<Tables>(
  db: Kysely<Tables>,
  migrations: Record<string, Migration>,
  file: string,
): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  try {
    const applied = await appliedMigrations(db);
    const unknown = applied.find((name) => !Object.hasOwn(migrations, name));
    if (unknown !== undefined)
      throw new MusterError("storage.newer", `${file} has migration ${unknown}, unknown to this version.`);
    const { error } = await migrator.migrateToLatest();
    if (error) throw error;
  } catch (error) {
    throw asStorageError(error, file);
  }
}

async function appliedMigrations<Tables>(db: Kysely<Tables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === "kysely_migration")) return [];
  const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom("kysely_migration")
    .select("name")
    .execute();
  return rows.map((row) => row.name);
}
