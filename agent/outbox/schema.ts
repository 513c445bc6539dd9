/**
 * One row of `outbox_state`; sizes and positions live in it so that a transaction that rolls back, also one of
 * another module around an append, takes them back too. `size` stands before `body`: sums need not read bodies.
 */
export const OUTBOX_TABLES = [
  `CREATE TABLE outbox_records (
     seq INTEGER PRIMARY KEY,
     kind TEXT NOT NULL,
     at INTEGER NOT NULL,
     size INTEGER NOT NULL,
     body TEXT NOT NULL
   ) STRICT;
   CREATE INDEX outbox_records_kind ON outbox_records (kind, seq);
   CREATE TABLE outbox_state (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     id TEXT NOT NULL,
     last_seq INTEGER NOT NULL,
     acked_seq INTEGER NOT NULL,
     evicted INTEGER NOT NULL,
     bytes INTEGER NOT NULL
   ) STRICT;`,
];
