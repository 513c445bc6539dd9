import type { Kysely, Migration } from "kysely";

/** Freeze periods. */
export const freezesMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("freezes")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("site", "text")
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("from_at", "bigint", (column) => column.notNull())
      .addColumn("to_at", "bigint", (column) => column.notNull())
      .addColumn("created_by", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("ended_by", "text")
      .addColumn("ended_at", "bigint")
      .execute();
    await db.schema.createIndex("freezes_to").on("freezes").column("to_at").execute();
  },
};
