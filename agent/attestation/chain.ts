import { MusterError } from "@muster/shared/errors";
import { type Evidence, linkDigestOf } from "@muster/shared/protocol/evidence";
import type { Digest } from "@muster/shared/protocol/primitives";
import type { Database, Statement } from "better-sqlite3";
import { migrate } from "../storage/database.ts";
import { asStorageError } from "../storage/errors.ts";

const CHAIN_TABLES = [
  `CREATE TABLE attestation_chain (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     next_index INTEGER NOT NULL,
     head TEXT,
     answered TEXT
   ) STRICT;
   CREATE TABLE attestation_links (link INTEGER PRIMARY KEY, evidence TEXT NOT NULL) STRICT;
   INSERT INTO attestation_chain VALUES (1, 0, NULL, NULL);`,
];

/** Links kept until the control plane says that it has them; those beyond come by the outbox, or leave a gap. */
const MOST_LINKS = 16;
/** Together at most, bytes; the newest is kept whatever its size. */
const MOST_BYTES = 1024 * 1024;

/** No device comes so far: a challenge that says so, which nobody signs, must not take the room for all later links. */
const MOST_INDEX = 2 ** 48;

interface ChainRow {
  next_index: number;
  head: Digest | null;
  /** Nonce of the newest challenge that was answered. */
  answered: string | null;
}

/** Where the next link goes. */
export interface Place {
  index: number;
  previous: Digest | null;
}

/**
 * The device's evidence chain on disk. A link is stored, in one transaction with the new head, before anybody sees it: so
 * a power cut at any moment leaves one link for each index at most.
 */
export class Chain {
  readonly #db: Database;
  readonly #row: Statement<[], ChainRow>;
  readonly #setRow: Statement<[ChainRow]>;
  readonly #insert: Statement<[number, string]>;
  readonly #links: Statement<[number], string>;
  readonly #sizes: Statement<[], { link: number; bytes: number }>;
  readonly #forget: Statement<[number]>;

  constructor(db: Database) {
    migrate(db, "attestation-chain", CHAIN_TABLES);
    this.#db = db;
    this.#row = db.prepare("SELECT next_index, head, answered FROM attestation_chain");
    this.#setRow = db.prepare(
      "UPDATE attestation_chain SET next_index = @next_index, head = @head, answered = @answered",
    );
    this.#insert = db.prepare("INSERT INTO attestation_links VALUES (?, ?)");
    this.#links = db
      .prepare<[number], string>("SELECT evidence FROM attestation_links WHERE link > ? ORDER BY link")
      .pluck();
    this.#sizes = db.prepare(
      "SELECT link, length(evidence) AS bytes FROM attestation_links ORDER BY link DESC",
    );
    this.#forget = db.prepare("DELETE FROM attestation_links WHERE link <= ?");
  }

  /** Where the next link goes. */
  place(): Place {
    const { next_index: index, head: previous } = this.#read();
    return { index, previous };
  }

  /** True when a link that answers this nonce was made, here or before a restart. */
  hasAnswered(nonce: string): boolean {
    return this.#read().answered === nonce;
  }

  /**
   * Makes this the newest link; it is durable when it returns.
   * @param also runs in the same transaction
   * @throws MusterError `storage.full` or `storage.broken`, or what `also` throws; then the chain is as it was
   */
  add(evidence: Evidence, also: () => void = () => undefined): void {
    const { chain, nonce } = evidence.payload;
    const add = this.#db.transaction(() => {
      const row = this.#read();
      if (chain.index !== row.next_index || chain.previous !== row.head)
        throw new MusterError(
          "internal.unexpected",
          `Link ${chain.index} does not follow ${row.next_index}.`,
        );
      this.#insert.run(chain.index, JSON.stringify(evidence));
      this.#setRow.run({
        next_index: chain.index + 1,
        head: linkDigestOf(evidence.payload),
        answered: nonce ?? row.answered,
      });
      this.#trim();
      also();
    });
    try {
      add();
    } catch (error) {
      throw asStorageError(error);
    }
  }

  /**
   * Takes note of the newest link that the control plane stored. What it has need not be kept; an index that it has is
   * not used again, also where this disk is older than that link.
   */
  known(index: number): void {
    try {
      this.#db.transaction(() => {
        const row = this.#read();
        this.#forget.run(index);
        const next = Math.min(index, MOST_INDEX) + 1;
        if (next > row.next_index) this.#setRow.run({ ...row, next_index: next });
      })();
    } catch (error) {
      throw asStorageError(error);
    }
  }

  /** Links that are still here and that the control plane may not have, oldest first. */
  waiting(): Evidence[] {
    return this.#links.all(-1).map((text) => JSON.parse(text) as Evidence);
  }

  #read(): ChainRow {
    return this.#row.get()!;
  }

  #trim(): void {
    let bytes = 0;
    for (const [count, row] of this.#sizes.all().entries()) {
      bytes += row.bytes;
      if (count === 0 || (count < MOST_LINKS && bytes <= MOST_BYTES)) continue;
      this.#forget.run(row.link);
      return;
    }
  }
}
