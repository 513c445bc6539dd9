import { KeyLease } from "@muster/shared/protocol/key-lease";
import { parseJson } from "@muster/shared/protocol/validate";
import type { Database } from "better-sqlite3";
import { migrate } from "../storage/database.ts";
import { asStorageError } from "../storage/errors.ts";

const STATEMENTS = [
  `CREATE TABLE key_leases (key TEXT PRIMARY KEY, lease TEXT NOT NULL) STRICT;
   CREATE TABLE key_clock (id INTEGER PRIMARY KEY CHECK (id = 1), floor INTEGER NOT NULL) STRICT`,
];

/** Key leases on disk as they came: each key lies there sealed to this device. */
export class LeaseStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    migrate(database, "keys", STATEMENTS);
  }

  /** Undefined for a key that was never leased. @throws MusterError `storage.broken` */
  find(key: string): KeyLease | undefined {
    const text = this.#database
      .prepare<[string], string>("SELECT lease FROM key_leases WHERE key = ?")
      .pluck()
      .get(key);
    return text === undefined ? undefined : (parseJson(KeyLease, text, "storage.broken") as KeyLease);
  }

  /** @throws MusterError `storage.full` */
  store(lease: KeyLease): void {
    this.#run(() =>
      this.#database
        .prepare("INSERT OR REPLACE INTO key_leases (key, lease) VALUES (?, ?)")
        .run(lease.payload.key, JSON.stringify(lease)),
    );
  }

  /** Forgets all but these. */
  keepOnly(keys: readonly string[]): void {
    const known = this.#database.prepare<[], string>("SELECT key FROM key_leases").pluck().all();
    for (const key of known)
      if (!keys.includes(key))
        this.#run(() => this.#database.prepare("DELETE FROM key_leases WHERE key = ?").run(key));
  }

  /** The latest moment that is known to be over, milliseconds since the epoch. */
  get floor(): number {
    return this.#database.prepare<[], number>("SELECT floor FROM key_clock").pluck().get() ?? 0;
  }

  /** Never goes back. */
  raiseFloor(floor: number): void {
    this.#run(() =>
      this.#database
        .prepare(
          "INSERT INTO key_clock (id, floor) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET floor = max(floor, excluded.floor)",
        )
        .run(Math.floor(floor)),
    );
  }

  #run(write: () => unknown): void {
    try {
      write();
    } catch (error) {
      throw asStorageError(error);
    }
  }
}
