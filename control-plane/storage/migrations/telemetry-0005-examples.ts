import type { Kysely, Migration } from "kysely";

/** Hard examples that devices sent; the files lie in the data directory. */
export const examplesMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("examples")
      .addColumn("digest", "text", (column) => column.primaryKey())
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("site", "text", (column) => column.notNull())
      .addColumn("release", "text", (column) => column.notNull())
      .addColumn("model", "text", (column) => column.notNull())
      .addColumn("variant", "text", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("received_at", "bigint", (column) => column.notNull())
      .addColumn("confidence", "double precision", (column) => column.notNull())
      .addColumn("label", "text")
      .addColumn("keep", "text", (column) => column.notNull())
      .addColumn("size", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("examples_received")
      .on("examples")
      .columns(["received_at", "digest"])
      .execute();
    await db.schema.createIndex("examples_device").on("examples").column("device").execute();
  },
};
