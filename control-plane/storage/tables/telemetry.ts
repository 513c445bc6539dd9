import type { Generated } from "kysely";

/** Fixed tables of telemetry.db. Results and heartbeats lie in day tables, see `day-tables.ts`. */

export interface OutboxPositionsTable {
  /** Stands for the outbox in the results; never given twice. */
  source: Generated<number>;
  device: string;
  outbox: string;
  /** Everything of this outbox up to and including this sequence number is stored. */
  up_to: number;
  at: number;
}

/** What computed a result: which weights on which provider. */
export interface BuildsTable {
  id: Generated<number>;
  model: string;
  version: string;
  variant: string;
  digest: string;
  provider: string;
}

export interface ResultCountsTable {
  device: string;
  /** Results stored since the device enrolled, also those whose day table was dropped since. */
  stored: number;
  /** Those of them that came while the device did not pass attestation. */
  withheld: number;
}

/** Records that a device had to evict from its outbox. */
export interface GapsTable {
  device: string;
  outbox: string;
  seq: number;
  kind: string;
  records: number;
  from_seq: number;
  to_seq: number;
  at: number;
  received_at: number;
}

/** Moments that the next start must know, e.g. until when this control plane listened. */
export interface ClockMarksTable {
  name: string;
  at: number;
}

export interface TelemetryTables {
  clock_marks: ClockMarksTable;
  builds: BuildsTable;
  outbox_positions: OutboxPositionsTable;
  result_counts: ResultCountsTable;
  gaps: GapsTable;
}
