import type { Kysely, Migration } from "kysely";

/** Positions, counters and gaps; the day tables are made when their day comes. */
export const telemetryMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("outbox_positions")
      .addColumn("source", "integer", (column) => column.primaryKey().autoIncrement())
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("outbox", "text", (column) => column.notNull())
      .addColumn("up_to", "bigint", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addUniqueConstraint("outbox_positions_key", ["device", "outbox"])
      .execute();
    await db.schema
      .createTable("builds")
      .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
      .addColumn("model", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("variant", "text", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("provider", "text", (column) => column.notNull())
      .addUniqueConstraint("builds_key", ["model", "version", "variant", "digest", "provider"])
      .execute();
    await db.schema
      .createTable("result_counts")
      .addColumn("device", "text", (column) => column.primaryKey())
      .addColumn("stored", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("gaps")
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("outbox", "text", (column) => column.notNull())
      .addColumn("seq", "bigint", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("records", "bigint", (column) => column.notNull())
      .addColumn("from_seq", "bigint", (column) => column.notNull())
      .addColumn("to_seq", "bigint", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("received_at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("gaps_key", ["device", "outbox", "seq"])
      .execute();
    await db.schema
      .createTable("clock_marks")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("at", "bigint", (column) => column.notNull())
      .execute();
  },
};
