import type { Database } from "better-sqlite3";
import type { FreshBatch } from "./entries.ts";

/** Somebody who keeps outbox records of a kind of its own, each exactly once, also over a restart. */
export interface RecordObserver {
  /** Reads what the transaction will need. */
  prepare(batches: readonly FreshBatch[]): Promise<void>;
  /**
   * Inside the transaction of telemetry.db that stores the position of these batches. It must not take them as facts
   * yet, since the transaction may be rolled back and tried again.
   */
  store(db: Database, batches: readonly FreshBatch[]): void;
  /** The transaction is committed: memory may follow. */
  stored(batches: readonly FreshBatch[]): void;
}
