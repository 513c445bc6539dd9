import type { Stores } from "../storage/database.ts";

/** A stored example as operators list it. Times in milliseconds since the epoch. */
export interface ExampleRow {
  /** `sha256:` and hex: names the example. */
  digest: string;
  device: string;
  site: string;
  /** Digest of the release that computed it. */
  release: string;
  model: string;
  variant: string;
  at: number;
  received_at: number;
  /** Highest score of the first output. */
  confidence: number;
  label: string | null;
  keep: string;
  /** Bytes. */
  size: number;
}

export interface ExampleFilter {
  device?: string | undefined;
  /** A site and everything below it. */
  site?: string | undefined;
  release?: string | undefined;
  model?: string | undefined;
  /** Received before this moment, milliseconds since the epoch. */
  before?: number | undefined;
  limit: number;
}

/** Rows deleted at a time. */
const AT_ONCE = 100;

/** The table of examples in telemetry.db. */
export class ExampleRows {
  readonly #stores: Stores;

  constructor(stores: Stores) {
    this.#stores = stores;
  }

  find(digest: string): ExampleRow | undefined {
    return this.#db.prepare<[string], ExampleRow>("SELECT * FROM examples WHERE digest = ?").get(digest);
  }

  /** Newest first. */
  list({ device, site, release, model, before, limit }: ExampleFilter): ExampleRow[] {
    const conditions: [sql: string, ...values: (string | number)[]][] = [];
    if (device !== undefined) conditions.push(["device = ?", device]);
    if (site !== undefined)
      conditions.push(["(site = ? OR substr(site, 1, ?) = ?)", site, site.length + 1, `${site}/`]);
    if (release !== undefined) conditions.push(["release = ?", release]);
    if (model !== undefined) conditions.push(["model = ?", model]);
    if (before !== undefined) conditions.push(["received_at < ?", before]);
    const where = conditions.length > 0 ? `WHERE ${conditions.map(([sql]) => sql).join(" AND ")}` : "";
    return this.#db
      .prepare<(string | number)[], ExampleRow>(
        `SELECT * FROM examples ${where} ORDER BY received_at DESC, digest LIMIT ?`,
      )
      .all(...conditions.flatMap(([, ...values]) => values), limit);
  }

  /** Bytes of a device, or of all. */
  bytes(device?: string): number {
    const sum = "SELECT coalesce(sum(size), 0) FROM examples";
    return device === undefined
      ? this.#db.prepare<[], number>(sum).pluck().get()!
      : this.#db.prepare<[string], number>(`${sum} WHERE device = ?`).pluck().get(device)!;
  }

  async insert(row: ExampleRow): Promise<void> {
    await this.#stores.writeTelemetry((db) =>
      db
        .prepare(
          `INSERT INTO examples VALUES (@digest, @device, @site, @release, @model, @variant, @at, @received_at,
             @confidence, @label, @keep, @size) ON CONFLICT (digest) DO NOTHING`,
        )
        .run(row),
    );
  }

  /** False where there was none. */
  async delete(digest: string): Promise<boolean> {
    return await this.#stores.writeTelemetry(
      (db) => db.prepare("DELETE FROM examples WHERE digest = ?").run(digest).changes > 0,
    );
  }

  /** Digests of some that were received before a moment. */
  old(before: number): string[] {
    return this.#db
      .prepare<[number, number], string>("SELECT digest FROM examples WHERE received_at < ? LIMIT ?")
      .pluck()
      .all(before, AT_ONCE);
  }

  get #db() {
    return this.#stores.telemetryRaw;
  }
}
