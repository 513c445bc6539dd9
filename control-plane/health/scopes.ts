import type { Database, Statement } from "better-sqlite3";

/** What figures are kept of. A site stands for everything below its path; the fleet is the site with no name. */
export type ScopeKind = "device" | "site" | "class" | "release";

export interface Scope {
  kind: ScopeKind;
  name: string;
}

/** Numbers that stand for scopes in telemetry.db. `idOf` belongs inside a transaction. */
export class Scopes {
  readonly #insert: Statement<[string, string], number>;
  readonly #all: Statement<[], Scope & { id: number }>;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, Scope>();

  constructor(db: Database) {
    this.#insert = db
      .prepare<[string, string], number>(
        `INSERT INTO health_scopes (kind, name) VALUES (?, ?)
         ON CONFLICT (kind, name) DO UPDATE SET name = excluded.name RETURNING id`,
      )
      .pluck();
    this.#all = db.prepare("SELECT id, kind, name FROM health_scopes");
    this.reload();
  }

  idOf(kind: ScopeKind, name: string): number {
    const key = `${kind}:${name}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#insert.get(kind, name)!;
      this.#ids.set(key, id);
      this.#names.set(id, { kind, name });
    }
    return id;
  }

  /** Undefined where nothing was ever kept of it. */
  known(kind: ScopeKind, name: string): number | undefined {
    return this.#ids.get(`${kind}:${name}`);
  }

  byId(id: number): Scope | undefined {
    return this.#names.get(id);
  }

  /** A transaction that made numbers may have been rolled back: only what is stored counts. */
  reload(): void {
    this.#ids.clear();
    this.#names.clear();
    for (const { id, kind, name } of this.#all.all()) {
      this.#ids.set(`${kind}:${name}`, id);
      this.#names.set(id, { kind, name });
    }
  }
}
