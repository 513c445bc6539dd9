import type { Database, Statement } from "better-sqlite3";
import type { AttestationStandingsTable } from "../storage/tables/attestation.ts";
import type { StoredVerdict } from "./fleet-device.ts";

type StandingRow = Pick<
  AttestationStandingsTable,
  "device" | "tier" | "sentence" | "at" | "not_after" | "withheld" | "withheld_after"
> & { revision: number };

/** The newest verdict on each device, as it is stored. */
export class StandingRows {
  readonly #changed: Statement<[number], StandingRow>;
  readonly #verdicts = new Map<string, StoredVerdict>();
  #revision = 0;

  constructor(db: Database) {
    this.#changed = db.prepare(
      `SELECT device, tier, sentence, at, not_after, withheld, withheld_after, revision
       FROM attestation_standings WHERE revision > ? ORDER BY revision`,
    );
  }

  /** Takes in what changed since the last call. @returns the devices that it is about */
  refresh(): Set<string> {
    const rows = this.#changed.all(this.#revision);
    for (const row of rows) this.#verdicts.set(row.device, verdictOf(row));
    this.#revision = rows.at(-1)?.revision ?? this.#revision;
    return new Set(rows.map(({ device }) => device));
  }

  of(device: string): StoredVerdict | null {
    return this.#verdicts.get(device) ?? null;
  }

  /** True once any device was appraised: from then on one without a verdict is worth telling. */
  get any(): boolean {
    return this.#verdicts.size > 0;
  }
}

const verdictOf = (row: StandingRow): StoredVerdict => ({
  tier: row.tier,
  sentence: row.sentence,
  at: row.at,
  notAfter: row.not_after,
  withheld: row.withheld === 1,
  withheldAfter: row.withheld_after,
});
