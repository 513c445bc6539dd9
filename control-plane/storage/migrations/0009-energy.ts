import type { Kysely, Migration } from "kysely";

/** Power policies, those that devices were given, and what energy costs and emits. */
export const energyMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("power_policies")
      .addColumn("scope", "text", (column) => column.primaryKey())
      .addColumn("content", "text", (column) => column.notNull())
      .addColumn("changed_by", "text", (column) => column.notNull())
      .addColumn("changed_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("device_policies")
      .addColumn("device", "text", (column) => column.primaryKey())
      .addColumn("generation", "bigint", (column) => column.notNull())
      .addColumn("issued_at", "bigint", (column) => column.notNull())
      .addColumn("content", "text", (column) => column.notNull())
      .addColumn("document", "text", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("energy_factors")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("site", "text")
      .addColumn("from_at", "bigint", (column) => column.notNull())
      .addColumn("cost_per_kwh", "double precision")
      .addColumn("currency", "text")
      .addColumn("grams_per_kwh", "double precision")
      .addColumn("created_by", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .execute();
  },
};
