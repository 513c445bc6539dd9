import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Database, Statement } from "better-sqlite3";
import { parsed } from "./store.ts";
import type { Installation } from "./way-back.ts";

/** Hardware classes for which a release is in quarantine. */
export const quarantinedClasses = (db: Database, digest: string): Set<string> =>
  new Set(
    db
      .prepare<[string], string>("SELECT hardware_class FROM quarantines WHERE release = ?")
      .pluck()
      .all(digest),
  );

interface ToldRow {
  digest: string;
  previous: string | null;
  generation: number;
  turned_back: 0 | 1;
}

const TOLD = `SELECT json_extract(r.release, '$.digest') AS digest, d.previous, d.told_generation AS generation,
    r.state IN ('reverting', 'reverted') AS turned_back
  FROM rollout_devices d JOIN rollouts r ON r.id = d.rollout
  WHERE d.device = ? AND d.told_generation IS NOT NULL`;

const SENT_BACK = `SELECT 1 FROM rollout_devices
  WHERE rollout = ? AND device = ? AND status IN ('returning', 'returned', 'return-failed')`;

/** What rollouts left behind, as one decision sees it. Use it inside one transaction of `db`. */
export class Past {
  readonly #db: Database;
  readonly #quarantined = new Map<string, Set<string>>();
  #told: Statement<[string], ToldRow> | undefined;
  #sentBack: Statement<[string, string]> | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  isQuarantined(digest: string, hardwareClass: string): boolean {
    let classes = this.#quarantined.get(digest);
    if (!classes) {
      classes = quarantinedClasses(this.#db, digest);
      this.#quarantined.set(digest, classes);
    }
    return classes.has(hardwareClass);
  }

  /** Releases that rollouts told a device. */
  installations(device: string): Installation[] {
    this.#told ??= this.#db.prepare(TOLD);
    const rows = this.#told.all(device);
    return rows.map(({ previous, turned_back, ...row }) => ({
      ...row,
      previous: parsed<ReleaseRef>(previous),
      turnedBack: turned_back === 1,
    }));
  }

  /** True where a rollout took a device over and has sent it back since: it does not want it any more. */
  hasSentBack(rollout: string, device: string): boolean {
    this.#sentBack ??= this.#db.prepare(SENT_BACK);
    return this.#sentBack.get(rollout, device) !== undefined;
  }
}
