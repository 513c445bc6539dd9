import { Measured } from "@muster/shared/protocol/choice";
import { parseJson } from "@muster/shared/protocol/validate";
import type { Database } from "better-sqlite3";
import { Type } from "typebox";
import { migrate } from "../storage/database.ts";
import type { Measurement } from "./measurement.ts";

const TABLES = [
  `CREATE TABLE measurements (
     key TEXT PRIMARY KEY, measurement TEXT NOT NULL, measured_at INTEGER NOT NULL
   ) STRICT`,
];

/** Measurements that are kept; the oldest go first. */
const MOST_KEPT = 256;

/** A crash may have had another reason than the model: after this time it is tried again, milliseconds. */
const FAILURE_HOLDS_MS = 86_400_000;

const Stored = Type.Union([
  Type.Object({ measured: Measured }),
  Type.Object({
    failure: Type.Object({ code: Type.String(), message: Type.String() }),
    step: Type.String(),
  }),
]);

/** What this box has measured, so that no restart makes it measure again. */
export class Measurements {
  readonly #database: Database;

  /** @throws MusterError of the storage family */
  constructor(database: Database) {
    this.#database = database;
    migrate(database, "measurements", TABLES);
  }

  /** @param now milliseconds since the epoch */
  find(key: string, now: number): Measurement | undefined {
    const row = this.#database
      .prepare<[string], { measurement: string; measured_at: number }>(
        "SELECT measurement, measured_at FROM measurements WHERE key = ?",
      )
      .get(key);
    if (!row) return undefined;
    const measurement = parseJson(Stored, row.measurement, "storage.broken") as Measurement;
    const isOld = Math.abs(now - row.measured_at) > FAILURE_HOLDS_MS;
    return "failure" in measurement && isOld ? undefined : measurement;
  }

  keep(key: string, measurement: Measurement, now: number): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO measurements (key, measurement, measured_at) VALUES (?, ?, ?)")
      .run(key, JSON.stringify(measurement), now);
    this.#database
      .prepare(
        `DELETE FROM measurements WHERE key NOT IN
           (SELECT key FROM measurements ORDER BY measured_at DESC, key LIMIT ?)`,
      )
      .run(MOST_KEPT);
  }
}
