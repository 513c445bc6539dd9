import type { Database, Statement } from "better-sqlite3";
import type { DriftSums } from "./drift-sums.ts";

/** Sums by the hour and by the day (UTC). */
export const GRAINS = ["1h", "1d"] as const;
export type Grain = (typeof GRAINS)[number];

const HOUR_MS = 3_600_000;
export const GRAIN_MS: Record<Grain, number> = { "1h": HOUR_MS, "1d": 24 * HOUR_MS };

/** How long sums are kept, milliseconds. */
const KEPT_MS: Record<Grain, number> = { "1h": 8 * 24 * HOUR_MS, "1d": 400 * 24 * HOUR_MS };

export interface Series {
  readonly release: string;
  readonly model: string;
  readonly version: string;
  readonly variant: string;
}

/** Where one device stands with one model. */
export interface StandingRow {
  readonly device: string;
  /** Name and version. */
  readonly model: string;
  readonly release: string;
  /** When it was received, milliseconds since the epoch. */
  readonly at: number;
  /** JSON. */
  readonly standing: string;
}

interface Table {
  get: Statement<[number, number, number], string>;
  put: Statement<[number, number, number, string]>;
  since: Statement<[number, number], { series: number; sums: string }>;
  prune: Statement<[number, number]>;
}

/** The tables of drift in telemetry.db. Writing methods belong inside a transaction. */
export class DriftStore {
  readonly #insertSeries: Statement<[string, string, string, string], number>;
  readonly #series: Statement<[number], Series>;
  readonly #tables: Record<Grain, Table>;
  readonly #putStanding: Statement<[StandingRow]>;
  readonly #standings: Statement<[], StandingRow>;
  readonly #pruneStandings: Statement<[number]>;

  constructor(db: Database) {
    this.#insertSeries = db
      .prepare<[string, string, string, string], number>(
        `INSERT INTO drift_series (release, model, version, variant) VALUES (?, ?, ?, ?)
         ON CONFLICT (release, model, version, variant) DO UPDATE SET model = excluded.model RETURNING id`,
      )
      .pluck();
    this.#series = db.prepare("SELECT release, model, version, variant FROM drift_series WHERE id = ?");
    const table = (grain: Grain): Table => ({
      get: db
        .prepare<[number, number, number], string>(
          `SELECT sums FROM drift_${grain} WHERE scope = ? AND bucket = ? AND series = ?`,
        )
        .pluck(),
      put: db.prepare(
        `INSERT INTO drift_${grain} (scope, bucket, series, sums) VALUES (?, ?, ?, ?)
         ON CONFLICT (scope, bucket, series) DO UPDATE SET sums = excluded.sums`,
      ),
      since: db.prepare(`SELECT series, sums FROM drift_${grain} WHERE scope = ? AND bucket >= ?`),
      prune: db.prepare(
        `DELETE FROM drift_${grain} WHERE (scope, bucket, series) IN
           (SELECT scope, bucket, series FROM drift_${grain} WHERE bucket < ? LIMIT ?)`,
      ),
    });
    this.#tables = { "1h": table("1h"), "1d": table("1d") };
    this.#putStanding = db.prepare(
      `INSERT INTO drift_devices (device, model, release, at, standing)
       VALUES (@device, @model, @release, @at, @standing)
       ON CONFLICT (device, model) DO UPDATE SET
         release = excluded.release, at = excluded.at, standing = excluded.standing`,
    );
    this.#standings = db.prepare("SELECT device, model, release, at, standing FROM drift_devices");
    this.#pruneStandings = db.prepare("DELETE FROM drift_devices WHERE at < ?");
  }

  seriesId({ release, model, version, variant }: Series): number {
    return this.#insertSeries.get(release, model, version, variant)!;
  }

  series(id: number): Series | undefined {
    return this.#series.get(id);
  }

  get(grain: Grain, scope: number, bucket: number, series: number): DriftSums | undefined {
    const text = this.#tables[grain].get.get(scope, bucket, series);
    return text === undefined ? undefined : (JSON.parse(text) as DriftSums);
  }

  put(grain: Grain, scope: number, bucket: number, series: number, sums: DriftSums): void {
    this.#tables[grain].put.run(scope, bucket, series, JSON.stringify(sums));
  }

  /** Every sum of a scope since a moment, by series. */
  *since(grain: Grain, scope: number, from: number): Iterable<{ series: number; sums: DriftSums }> {
    const bucket = bucketOf(grain, from);
    for (const { series, sums } of this.#tables[grain].since.iterate(scope, bucket))
      yield { series, sums: JSON.parse(sums) as DriftSums };
  }

  putStanding(row: StandingRow): void {
    this.#putStanding.run(row);
  }

  standings(): Iterable<StandingRow> {
    return this.#standings.iterate();
  }

  /** Deletes where devices stood before a moment. */
  pruneStandings(before: number): void {
    this.#pruneStandings.run(before);
  }

  /** Deletes at most `limit` sums that were kept for long enough; how many it were. */
  prune(grain: Grain, now: number, limit: number): number {
    return this.#tables[grain].prune.run(now - KEPT_MS[grain], limit).changes;
  }
}

/** Begin of the hour or day that holds a moment. */
export const bucketOf = (grain: Grain, at: number): number =>
  Math.floor(at / GRAIN_MS[grain]) * GRAIN_MS[grain];
