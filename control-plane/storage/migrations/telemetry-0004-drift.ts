import type { Kysely, Migration } from "kysely";

/** Sums of what models saw, by scope and hour or day, and where each device stands. */
export const driftMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("drift_series")
      .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
      .addColumn("release", "text", (column) => column.notNull())
      .addColumn("model", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("variant", "text", (column) => column.notNull())
      .addUniqueConstraint("drift_series_key", ["release", "model", "version", "variant"])
      .execute();
    for (const table of ["drift_1h", "drift_1d"])
      await db.schema
        .createTable(table)
        .addColumn("scope", "integer", (column) => column.notNull())
        .addColumn("bucket", "bigint", (column) => column.notNull())
        .addColumn("series", "integer", (column) => column.notNull())
        .addColumn("sums", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint(`${table}_key`, ["scope", "bucket", "series"])
        .execute();
    for (const table of ["drift_1h", "drift_1d"])
      await db.schema.createIndex(`${table}_bucket`).on(table).column("bucket").execute();
    await db.schema
      .createTable("drift_devices")
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("model", "text", (column) => column.notNull())
      .addColumn("release", "text", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("standing", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("drift_devices_key", ["device", "model"])
      .execute();
  },
};
