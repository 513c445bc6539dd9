import { type MeasuredExtension, MOST_EXTENSIONS } from "@muster/shared/protocol/evidence";
import type { Database, Statement } from "better-sqlite3";
import { migrate } from "../storage/database.ts";
import { type Epoch, extended, type MeasuredLog, zeros } from "./own-pcr.ts";

const MEASURED_TABLES = [
  `CREATE TABLE attestation_pcr (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     pcr INTEGER NOT NULL,
     reset_count INTEGER NOT NULL,
     restart_count INTEGER NOT NULL,
     base256 TEXT NOT NULL,
     base384 TEXT NOT NULL,
     dropped INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE attestation_extensions (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     at INTEGER NOT NULL,
     what TEXT NOT NULL,
     digest TEXT NOT NULL,
     pending INTEGER NOT NULL
   ) STRICT;`,
];

interface PcrRow {
  pcr: number;
  reset_count: number;
  restart_count: number;
  base256: string;
  base384: string;
  dropped: number;
}
type ExtensionRow = MeasuredExtension & { seq: number; pending: 0 | 1 };

const plain = ({ at, what, digest }: ExtensionRow): MeasuredExtension => ({ at, what, digest });

/** What was extended into the agent's own PCR since its TPM was reset, on disk. */
export class MeasuredLogStore {
  readonly #db: Database;
  readonly #pcr: number;
  readonly #row: Statement<[number], PcrRow>;
  readonly #setRow: Statement<[PcrRow]>;
  readonly #all: Statement<[], ExtensionRow>;
  readonly #insert: Statement<[MeasuredExtension]>;
  readonly #settle: Statement<[]>;
  readonly #clear: Statement<[]>;
  readonly #remove: Statement<[number]>;

  constructor(db: Database, pcr: number) {
    migrate(db, "attestation-measured", MEASURED_TABLES);
    this.#db = db;
    this.#pcr = pcr;
    this.#row = db.prepare("SELECT * FROM attestation_pcr WHERE pcr = ?");
    this.#setRow = db.prepare(
      `INSERT OR REPLACE INTO attestation_pcr
       VALUES (1, @pcr, @reset_count, @restart_count, @base256, @base384, @dropped)`,
    );
    this.#all = db.prepare("SELECT seq, at, what, digest, pending FROM attestation_extensions ORDER BY seq");
    this.#insert = db.prepare(
      "INSERT INTO attestation_extensions (at, what, digest, pending) VALUES (@at, @what, @digest, 1)",
    );
    this.#settle = db.prepare("UPDATE attestation_extensions SET pending = 0");
    this.#clear = db.prepare("DELETE FROM attestation_extensions");
    this.#remove = db.prepare("DELETE FROM attestation_extensions WHERE seq = ?");
  }

  /** `dropped` came before what is listed. */
  read(): MeasuredLog & { dropped: number } {
    const row = this.#row.get(this.#pcr);
    const rows = row ? this.#all.all() : [];
    const pending = rows.find((each) => each.pending === 1);
    return {
      epoch: row ? { resetCount: row.reset_count, restartCount: row.restart_count } : null,
      base: { sha256: row?.base256 ?? zeros("sha256"), sha384: row?.base384 ?? zeros("sha384") },
      extensions: rows.filter((each) => each.pending === 0).map(plain),
      pending: pending ? plain(pending) : null,
      dropped: row?.dropped ?? 0,
    };
  }

  /** Begins a new list. */
  begin({ resetCount, restartCount }: Epoch): void {
    this.#db.transaction(() => {
      this.#clear.run();
      this.#setRow.run({
        pcr: this.#pcr,
        reset_count: resetCount,
        restart_count: restartCount,
        base256: zeros("sha256"),
        base384: zeros("sha384"),
        dropped: 0,
      });
    })();
  }

  resume({ restartCount }: Epoch): void {
    const row = this.#row.get(this.#pcr);
    if (row) this.#setRow.run({ ...row, restart_count: restartCount });
  }

  /** Writes down what is about to be extended. */
  pend(extension: MeasuredExtension): void {
    this.#insert.run(extension);
  }

  /** What was pending is in the PCR. */
  settle(): void {
    this.#db.transaction(() => {
      this.#settle.run();
      for (const row of this.#all.all().slice(0, -MOST_EXTENSIONS)) this.#fold(row);
    })();
  }

  #fold(extension: ExtensionRow): void {
    const row = this.#row.get(this.#pcr)!;
    this.#remove.run(extension.seq);
    this.#setRow.run({
      ...row,
      base256: extended("sha256", row.base256, extension),
      base384: extended("sha384", row.base384, extension),
      dropped: row.dropped + 1,
    });
  }
}
