import type { Kysely, Migration } from "kysely";

/** What devices found out about candidate releases beside their live ones. */
export const shadowMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("shadow_reports")
      .addColumn("device", "text", (column) => column.notNull().references("devices.id").onDelete("cascade"))
      .addColumn("generation", "bigint", (column) => column.notNull())
      .addColumn("rollout", "text")
      .addColumn("report", "text", (column) => column.notNull())
      .addColumn("received_at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("shadow_reports_key", ["device", "generation"])
      .execute();
    await db.schema.createIndex("shadow_reports_rollout").on("shadow_reports").column("rollout").execute();
  },
};
