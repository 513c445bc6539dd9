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
  /** Only of sites at or below one of them. */
  sites?: readonly string[] | undefined;
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
  /** Bytes by device, and of all: each part that comes asks for them, and the table may have a million rows. */
  readonly #bytes = new Map<string, number>();
  #total = 0;

  constructor(stores: Stores) {
    this.#stores = stores;
    const sums = this.#db.prepare<[], { device: string; bytes: number }>(
      "SELECT device, sum(size) AS bytes FROM examples GROUP BY device",
    );
    for (const { device, bytes } of sums.iterate()) this.#count(device, bytes);
  }

  find(digest: string): ExampleRow | undefined {
    return this.#db.prepare<[string], ExampleRow>("SELECT * FROM examples WHERE digest = ?").get(digest);
  }

  /** Digests that begin with these hex digits, two at most. */
  beginningWith(hex: string): string[] {
    return this.#db
      .prepare<[string, string], string>(
        "SELECT digest FROM examples WHERE digest >= ? AND digest < ? LIMIT 2",
      )
      .pluck()
      .all(`sha256:${hex}`, `sha256:${hex}g`);
  }

  /** Newest first. */
  list({ device, site, sites, release, model, before, limit }: ExampleFilter): ExampleRow[] {
    const conditions: [sql: string, ...values: (string | number)[]][] = [];
    if (device !== undefined) conditions.push(["device = ?", device]);
    for (const paths of [site === undefined ? undefined : [site], sites])
      if (paths !== undefined)
        conditions.push([
          `(${paths.map(() => "site = ? OR substr(site, 1, ?) = ?").join(" OR ")})`,
          ...paths.flatMap((path) => [path, path.length + 1, `${path}/`]),
        ]);
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
    return device === undefined ? this.#total : (this.#bytes.get(device) ?? 0);
  }

  async insert(row: ExampleRow): Promise<void> {
    const { changes } = await this.#stores.writeTelemetry((db) =>
      db
        .prepare(
          `INSERT INTO examples VALUES (@digest, @device, @site, @release, @model, @variant, @at, @received_at,
             @confidence, @label, @keep, @size) ON CONFLICT (digest) DO NOTHING`,
        )
        .run(row),
    );
    if (changes > 0) this.#count(row.device, row.size);
  }

  /** False where there was none. */
  async delete(digest: string): Promise<boolean> {
    const deleted = await this.#stores.writeTelemetry((db) =>
      db
        .prepare<[string], { device: string; size: number }>(
          "DELETE FROM examples WHERE digest = ? RETURNING device, size",
        )
        .get(digest),
    );
    if (deleted) this.#count(deleted.device, -deleted.size);
    return deleted !== undefined;
  }

  /** Digests of some that were received before a moment. */
  old(before: number): string[] {
    return this.#db
      .prepare<[number, number], string>("SELECT digest FROM examples WHERE received_at < ? LIMIT ?")
      .pluck()
      .all(before, AT_ONCE);
  }

  #count(device: string, bytes: number): void {
    this.#total += bytes;
    const all = (this.#bytes.get(device) ?? 0) + bytes;
    if (all > 0) this.#bytes.set(device, all);
    else this.#bytes.delete(device);
  }

  get #db() {
    return this.#stores.telemetryRaw;
  }
}
