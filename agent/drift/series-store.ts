import type { Database, Statement } from "better-sqlite3";
import { migrate } from "../storage/database.ts";
import type { SeriesState } from "./series-state.ts";

/** Series remembered; the one that was written longest ago goes first. */
const MOST_SERIES = 64;

const TABLES = [
  `CREATE TABLE drift_series (
     name TEXT PRIMARY KEY,
     state TEXT NOT NULL,
     written INTEGER NOT NULL
   ) STRICT;`,
];

/** What is remembered of each variant between windows, in the agent's database. Call it inside a transaction. */
export class SeriesStore {
  readonly #get: Statement<[string], string>;
  readonly #put: Statement<[string, string]>;
  readonly #trim: Statement<[number]>;

  constructor(db: Database) {
    migrate(db, "drift", TABLES);
    this.#get = db.prepare<[string], string>("SELECT state FROM drift_series WHERE name = ?").pluck();
    this.#put = db.prepare(
      `INSERT INTO drift_series (name, state, written)
       VALUES (?, ?, (SELECT coalesce(max(written), 0) + 1 FROM drift_series))
       ON CONFLICT (name) DO UPDATE SET state = excluded.state, written = excluded.written`,
    );
    this.#trim = db.prepare(
      `DELETE FROM drift_series WHERE name IN (
         SELECT name FROM drift_series ORDER BY written DESC LIMIT -1 OFFSET ?)`,
    );
  }

  get(name: string): SeriesState | undefined {
    const text = this.#get.get(name);
    return text === undefined ? undefined : (JSON.parse(text) as SeriesState);
  }

  put(name: string, state: SeriesState): void {
    this.#put.run(name, JSON.stringify(state));
    this.#trim.run(MOST_SERIES);
  }
}
