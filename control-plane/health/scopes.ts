import type { Statement } from "better-sqlite3";
import type { Stores } from "../storage/database.ts";

/** What figures are kept of. A site stands for everything below its path; the fleet is the site with no name. */
export type ScopeKind = "device" | "site" | "class" | "release";

export interface Scope {
  kind: ScopeKind;
  name: string;
}

/** Numbers that stand for scopes in telemetry.db. `idOf` belongs inside a transaction. */
export class Scopes {
  readonly #insert: Statement<[string, string], number>;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, Scope>();
  /** Made by the transaction of now: gone again if it is rolled back. */
  #made: { key: string; id: number }[] = [];

  constructor({ telemetryRaw: db, onTelemetryWritten }: Pick<Stores, "telemetryRaw" | "onTelemetryWritten">) {
    this.#insert = db
      .prepare<[string, string], number>(
        `INSERT INTO health_scopes (kind, name) VALUES (?, ?)
         ON CONFLICT (kind, name) DO UPDATE SET name = excluded.name RETURNING id`,
      )
      .pluck();
    const all = db.prepare<[], Scope & { id: number }>("SELECT id, kind, name FROM health_scopes");
    for (const { id, kind, name } of all.iterate()) this.#keep(id, { kind, name });
    onTelemetryWritten((committed) => this.#written(committed));
  }

  idOf(kind: ScopeKind, name: string): number {
    const key = `${kind}:${name}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#insert.get(kind, name)!;
      this.#keep(id, { kind, name });
      this.#made.push({ key, id });
    }
    return id;
  }

  /** Undefined where nothing was ever kept of it. */
  known(kind: ScopeKind, name: string): number | undefined {
    return this.#ids.get(`${kind}:${name}`);
  }

  /** Of which anything was ever kept. */
  *names(kind: ScopeKind): Iterable<string> {
    for (const scope of this.#names.values()) if (scope.kind === kind) yield scope.name;
  }

  byId(id: number): Scope | undefined {
    return this.#names.get(id);
  }

  #keep(id: number, scope: Scope): void {
    this.#ids.set(`${scope.kind}:${scope.name}`, id);
    this.#names.set(id, scope);
  }

  /** A number that was rolled back is given to another scope. */
  #written(committed: boolean): void {
    if (!committed)
      for (const { key, id } of this.#made) {
        this.#ids.delete(key);
        this.#names.delete(id);
      }
    if (this.#made.length > 0) this.#made = [];
  }
}
