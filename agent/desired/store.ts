import type { Failure } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { Directive } from "@muster/shared/trust/directive";
import type { Database } from "better-sqlite3";
import { migrate } from "../storage/database.ts";

const DESIRED_TABLES = [
  `CREATE TABLE desired (
     id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, directive TEXT NOT NULL,
     accepted_at INTEGER NOT NULL
   ) STRICT`,
  "CREATE TABLE desired_floors (release TEXT PRIMARY KEY, floor INTEGER NOT NULL) STRICT",
  `CREATE TABLE desired_refusals (
     id INTEGER PRIMARY KEY AUTOINCREMENT, generation INTEGER NOT NULL, code TEXT NOT NULL,
     message TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE (generation, code)
   ) STRICT`,
];

/** Refusals that are remembered so that each is told once. */
const MAX_REFUSALS = 256;
/** Refusals that are told within an hour: whoever can publish to the device must not fill its outbox. */
const MAX_TOLD_PER_HOUR = 60;
const HOUR_MS = 3_600_000;

export type Refusal = NonNullable<ReportedState["refused"]>;

/** What the device has accepted and refused, so that nothing older is ever accepted again. */
export class DesiredStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    migrate(database, "desired", DESIRED_TABLES);
  }

  /** Newest generation accepted, 0 when none. */
  generation(): number {
    return (
      this.#database.prepare<[], number>("SELECT generation FROM desired WHERE id = 1").pluck().get() ?? 0
    );
  }

  /** Floor accepted so far for a release name, 0 when none. */
  floor(release: string): number {
    return (
      this.#database
        .prepare<[string], number>("SELECT floor FROM desired_floors WHERE release = ?")
        .pluck()
        .get(release) ?? 0
    );
  }

  /** Belongs into the transaction that also tells the journal. */
  accept({ payload }: Directive, text: string, at: number): void {
    this.#database
      .prepare("INSERT OR REPLACE INTO desired (id, generation, directive, accepted_at) VALUES (1, ?, ?, ?)")
      .run(payload.generation, text, at);
    if (payload.release)
      this.#database
        .prepare(
          `INSERT INTO desired_floors (release, floor) VALUES (?, ?)
           ON CONFLICT (release) DO UPDATE SET floor = max(floor, excluded.floor)`,
        )
        .run(payload.release.name, payload.floor);
  }

  /** Remembers a refusal. @returns false when it is not to be told: it is known, or there are too many */
  refuse(generation: number, failure: Failure, at: number): boolean {
    const { changes } = this.#database
      .prepare("INSERT OR IGNORE INTO desired_refusals (generation, code, message, at) VALUES (?, ?, ?, ?)")
      .run(generation, failure.code, failure.message, at);
    this.#database
      .prepare("DELETE FROM desired_refusals WHERE id <= (SELECT max(id) FROM desired_refusals) - ?")
      .run(MAX_REFUSALS);
    const told = this.#database
      .prepare<[number, number], number>("SELECT count(*) FROM desired_refusals WHERE at > ? AND at <= ?")
      .pluck()
      .get(at - HOUR_MS, at);
    return changes > 0 && (told ?? 0) <= MAX_TOLD_PER_HOUR;
  }

  /** The newest refusal of a directive that would have followed the accepted one. */
  refused(): Refusal | null {
    const row = this.#database
      .prepare<[], { generation: number; code: string; message: string; at: number }>(
        "SELECT generation, code, message, at FROM desired_refusals ORDER BY id DESC LIMIT 1",
      )
      .get();
    return row
      ? { generation: row.generation, failure: { code: row.code, message: row.message }, at: row.at }
      : null;
  }
}
