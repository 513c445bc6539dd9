import type { Database } from "better-sqlite3";
import { migrate } from "../storage/database.ts";
import { asStorageError } from "../storage/errors.ts";
import { makeRoom } from "./eviction.ts";
import { encodeRecord, type NewRecord, rankOf } from "./records.ts";
import { OUTBOX_TABLES } from "./schema.ts";
import { prepareStatements, type RecordRow, type Statements } from "./statements.ts";

export type { NewRecord } from "./records.ts";

export interface OutboxOptions {
  /** Most that the records may take, bytes. */
  limitBytes: number;
  /** Draws a random id of 8 to 64 URL-safe characters. */
  newId: () => string;
}

export interface OutboxPosition {
  id: string;
  /** Newest seq ever given; the first record has 1. */
  lastSeq: number;
  /** Everything up to here is stored by the control plane. */
  ackedSeq: number;
  /** Records that were lost to the size limit, ever. */
  evicted: number;
  bytes: number;
}

/** A record as it travels: the JSON text of an `OutboxRecord`. */
export interface EncodedRow {
  seq: number;
  text: string;
}

/** How an acknowledgement was taken: only `trimmed` and `rotated` changed anything. */
export type Acknowledged = "trimmed" | "known" | "foreign" | "rotated";

/**
 * What the device has to tell, kept until the control plane says that it is stored. `seq` only grows and is
 * never given twice, also when everything was acknowledged or evicted.
 */
export class Outbox {
  readonly #db: Database;
  readonly #options: OutboxOptions;
  readonly #sql: Statements;
  readonly #append: (records: readonly NewRecord[]) => number;
  readonly #acknowledge: (outboxId: string, upTo: number) => Acknowledged;
  readonly #listeners: (() => void)[] = [];
  /** Records up to here may have been sent. After a restart nobody knows, so all count as sent. */
  #handedOut: number;

  constructor(db: Database, options: OutboxOptions) {
    migrate(db, "outbox", OUTBOX_TABLES);
    this.#db = db;
    this.#options = options;
    this.#sql = prepareStatements(db);
    this.#sql.create.run(options.newId());
    this.#handedOut = this.position().lastSeq;
    this.#append = db.transaction((records: readonly NewRecord[]) => this.#write(records));
    this.#acknowledge = db.transaction((id: string, upTo: number) => this.#trim(id, upTo));
  }

  /**
   * Stores the records in one transaction (a savepoint inside the caller's, if there is one); they are durable
   * when it returns. At the limit the oldest results go first, then the oldest events; each eviction is told
   * by a `gap` record.
   * @returns the seq of the last record
   * @throws MusterError `outbox.full`, `storage.full`, `request.invalid` or `wire.oversized`; then none is stored
   */
  append(records: readonly NewRecord[]): number {
    let last: number;
    try {
      last = this.#append(records);
    } catch (error) {
      throw asStorageError(error);
    }
    for (const listener of this.#listeners) listener();
    return last;
  }

  /**
   * Records after `afterSeq` in ascending order, at most `maxBytes` of them but one at least, if there is one.
   * They come as the JSON text that travels: a record is encoded once, when it is stored.
   */
  read(afterSeq: number, maxRecords: number, maxBytes: number): EncodedRow[] {
    const records: EncodedRow[] = [];
    let bytes = 0;
    for (const row of this.#sql.after.iterate(afterSeq, maxRecords)) {
      bytes += row.size;
      if (bytes > maxBytes && records.length > 0) break;
      records.push(encodedRow(row));
    }
    this.#handedOut = Math.max(this.#handedOut, records.at(-1)?.seq ?? 0);
    return records;
  }

  /**
   * Forgets what is stored elsewhere. An acknowledgement for another outbox changes nothing. One beyond what we
   * gave out means that this database is older than what was sent from it (a restored disk image): the outbox
   * takes a new id, or new records would be taken for repeats of lost ones.
   */
  acknowledge(outboxId: string, upTo: number): Acknowledged {
    // Nobody waits for the disk here: what a power cut brings back is sent again and known to the other side.
    this.#db.pragma("synchronous = NORMAL");
    try {
      return this.#acknowledge(outboxId, upTo);
    } catch (error) {
      throw asStorageError(error);
    } finally {
      this.#db.pragma("synchronous = FULL");
    }
  }

  position(): OutboxPosition {
    const row = this.#state();
    return {
      id: row.id,
      lastSeq: row.last_seq,
      ackedSeq: row.acked_seq,
      evicted: row.evicted,
      bytes: row.bytes,
    };
  }

  /** Calls `listener` after each append. */
  onAppend(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #state() {
    return this.#sql.state.get()!;
  }

  #write(records: readonly NewRecord[]): number {
    const state = this.#state();
    const encoded = records.map(encodeRecord);
    if (encoded.length === 0) return state.last_seq;
    makeRoom(this.#sql, state, {
      limitBytes: this.#options.limitBytes,
      needed: encoded.reduce((sum, record) => sum + record.size, 0),
      rank: Math.max(...encoded.map((record) => rankOf(record.kind))),
      handedOut: this.#handedOut,
      at: encoded[0]!.at,
    });
    for (const record of encoded) {
      state.last_seq += 1;
      state.bytes += record.size;
      this.#sql.insert.run(state.last_seq, record.kind, record.at, record.size, record.body);
    }
    this.#sql.setState.run(state);
    return state.last_seq;
  }

  #trim(outboxId: string, upTo: number): Acknowledged {
    const state = this.#state();
    if (outboxId !== state.id) return "foreign";
    if (upTo > this.#handedOut) {
      this.#sql.setState.run({ ...state, id: this.#options.newId() });
      return "rotated";
    }
    if (upTo <= state.acked_seq) return "known";
    const freed = this.#sql.trimmed.get(upTo) ?? 0;
    this.#sql.trim.run(upTo);
    this.#sql.setState.run({ ...state, acked_seq: upTo, bytes: state.bytes - freed });
    return "trimmed";
  }
}

const encodedRow = ({ seq, kind, at, body }: RecordRow): EncodedRow => ({
  seq,
  text: `{"seq":${seq},"kind":"${kind}","at":${at},"body":${body}}`,
});
