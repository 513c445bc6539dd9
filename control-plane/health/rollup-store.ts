import type { Database, Statement } from "better-sqlite3";
import type { Sums } from "./sums.ts";
import { decodeSums, encodeSums } from "./sums-codec.ts";

/** Of a device, or of a group (site, class, release), by 5 minutes or by hour. */
export const ROLLUPS = ["device_5m", "device_1h", "group_5m", "group_1h"] as const;
export type Rollup = (typeof ROLLUPS)[number];

const DAY_MS = 86_400_000;

/** How long sums are kept, milliseconds. */
export const ROLLUP_KEPT_MS: Record<Rollup, number> = {
  device_5m: 2 * DAY_MS,
  device_1h: 30 * DAY_MS,
  group_5m: 30 * DAY_MS,
  group_1h: 400 * DAY_MS,
};

/** Up to where all is in the sums: the newest heartbeat, and the latest bucket and hour that are whole. */
export interface Progress {
  row: number;
  bucket: number;
  hour: number;
}

interface Statements {
  put: Statement<[number, number, Buffer]>;
  get: Statement<[number, number], Buffer>;
  bucket: Statement<[number], { scope: number; sums: Buffer }>;
  prune: Statement<[number, number]>;
}

/** The tables of sums in telemetry.db. Writing methods belong inside a transaction. */
export class RollupStore {
  readonly #rollups: Record<Rollup, Statements>;
  readonly #putState: Statement<[string, string]>;
  readonly #states: Statement<[], { device: string; state: string }>;
  readonly #putProgress: Statement<[string, number]>;
  readonly #progress: Statement<[string], number>;

  constructor(db: Database) {
    const statements = (rollup: Rollup): Statements => {
      const table = `rollups_${rollup}`;
      return {
        put: db.prepare(
          `INSERT INTO ${table} (bucket, scope, sums) VALUES (?, ?, ?)
           ON CONFLICT (bucket, scope) DO UPDATE SET sums = excluded.sums`,
        ),
        get: db
          .prepare<[number, number], Buffer>(`SELECT sums FROM ${table} WHERE bucket = ? AND scope = ?`)
          .pluck(),
        bucket: db.prepare(`SELECT scope, sums FROM ${table} WHERE bucket = ?`),
        prune: db.prepare(
          `DELETE FROM ${table} WHERE (bucket, scope) IN
             (SELECT bucket, scope FROM ${table} WHERE bucket < ? ORDER BY bucket, scope LIMIT ?)`,
        ),
      };
    };
    this.#rollups = {
      device_5m: statements("device_5m"),
      device_1h: statements("device_1h"),
      group_5m: statements("group_5m"),
      group_1h: statements("group_1h"),
    };
    this.#putState = db.prepare(
      `INSERT INTO device_health (device, state) VALUES (?, ?)
       ON CONFLICT (device) DO UPDATE SET state = excluded.state`,
    );
    this.#states = db.prepare("SELECT device, state FROM device_health");
    this.#putProgress = db.prepare(
      `INSERT INTO health_progress (name, value) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    );
    this.#progress = db.prepare<[string], number>("SELECT value FROM health_progress WHERE name = ?").pluck();
  }

  put(rollup: Rollup, bucket: number, scope: number, sums: Sums): void {
    this.#rollups[rollup].put.run(bucket, scope, encodeSums(sums));
  }

  get(rollup: Rollup, bucket: number, scope: number): Sums | undefined {
    const found = this.#rollups[rollup].get.get(bucket, scope);
    return found && decodeSums(found);
  }

  *inBucket(rollup: Rollup, bucket: number): Iterable<{ scope: number; sums: Sums }> {
    for (const { scope, sums } of this.#rollups[rollup].bucket.iterate(bucket))
      yield { scope, sums: decodeSums(sums) };
  }

  /** Deletes at most `limit` rows of buckets before `before`; how many it were. */
  prune(rollup: Rollup, before: number, limit: number): number {
    return this.#rollups[rollup].prune.run(before, limit).changes;
  }

  /** @param state JSON */
  putState(device: string, state: string): void {
    this.#putState.run(device, state);
  }

  states(): Iterable<{ device: string; state: string }> {
    return this.#states.iterate();
  }

  /** Undefined before the first bucket closed. */
  get progress(): Progress | undefined {
    const [row, bucket] = [this.#progress.get("row"), this.#progress.get("bucket")];
    if (row === undefined || bucket === undefined) return undefined;
    return { row, bucket, hour: this.#progress.get("hour") ?? Number.NEGATIVE_INFINITY };
  }

  setProgress({ row, bucket, hour }: Progress): void {
    this.#putProgress.run("row", row);
    this.#putProgress.run("bucket", bucket);
    if (Number.isFinite(hour)) this.#putProgress.run("hour", hour);
  }
}
