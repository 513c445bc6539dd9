import type { Database } from "better-sqlite3";
import { migrate } from "../storage/database.ts";

const COUNTER_TABLES = [
  "CREATE TABLE attestation_counter (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL) STRICT",
];

/** What the counter in the hardware and the one on the disk say together. */
export type CounterFinding =
  /** They agree, or the disk is one ahead: power was cut before the hardware counted. */
  | "in-step"
  /** The disk knows none. */
  | "new"
  /** The hardware has counted starts that the disk does not know: the disk was put back to an earlier state. */
  | "put-back"
  /** The disk knows starts that the hardware does not: the counter is another one. */
  | "replaced";

/** @param stored counted on the disk at the last start; null for none @param hardware what the TPM counts */
export function judgeCounter(stored: number | null, hardware: number): CounterFinding {
  if (stored === null) return "new";
  if (hardware > stored) return "put-back";
  return hardware < stored - 1 ? "replaced" : "in-step";
}

/**
 * Finds a disk that was put back, by a counter that no disk can put back. The disk is written before the hardware counts,
 * so that a power cut between both leaves the disk one ahead and never behind.
 */
export class PutBackCheck {
  readonly #db: Database;

  constructor(db: Database) {
    migrate(db, "attestation-counter", COUNTER_TABLES);
    this.#db = db;
  }

  /** Counts this start. @throws MusterError of the families `tpm.` and `storage.` */
  async run(counter: { read(): Promise<bigint>; increment(): Promise<bigint> }): Promise<CounterFinding> {
    const stored =
      this.#db.prepare<[], number>("SELECT value FROM attestation_counter").pluck().get() ?? null;
    const hardware = Number(await counter.read());
    const finding = judgeCounter(stored, hardware);
    const next = hardware + 1;
    this.#db.prepare("INSERT OR REPLACE INTO attestation_counter VALUES (1, ?)").run(next);
    await counter.increment();
    return finding;
  }
}
