import type { ResultBody } from "@muster/shared/protocol/messages";
import type { Database, Statement } from "better-sqlite3";

type Build = Pick<ResultBody, "model" | "version" | "variant" | "digest" | "provider">;
type Columns = [string, string, string, string, string];

/** Builds remembered; beyond it the memory starts afresh, as a fleet runs a handful at a time. */
const MOST_REMEMBERED = 1_000;

/** Numbers of the builds in telemetry.db. Call it inside a transaction. */
export class BuildIds {
  readonly #insert: Statement<Columns, number>;
  readonly #known = new Map<string, number>();

  constructor(db: Database) {
    this.#insert = db
      .prepare<Columns, number>(
        `INSERT INTO builds (model, version, variant, digest, provider) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (model, version, variant, digest, provider) DO UPDATE SET model = excluded.model
         RETURNING id`,
      )
      .pluck();
  }

  idOf({ model, version, variant, digest, provider }: Build): number {
    const key = `${model} ${version} ${variant} ${digest} ${provider}`;
    let id = this.#known.get(key);
    if (id === undefined) {
      id = this.#insert.get(model, version, variant, digest, provider)!;
      if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
      this.#known.set(key, id);
    }
    return id;
  }

  /** The transaction that made a number may have been rolled back. */
  forget(): void {
    this.#known.clear();
  }
}
