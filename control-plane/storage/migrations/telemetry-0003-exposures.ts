import type { Kysely, Migration } from "kysely";

/** What devices measured in the open waves; written with the heartbeats that said it. */
export const exposuresMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("exposures")
      .addColumn("rollout", "text", (column) => column.notNull())
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("wave", "integer", (column) => column.notNull())
      .addColumn("opened_at", "bigint", (column) => column.notNull())
      .addColumn("arm", "text", (column) => column.notNull())
      .addColumn("hardware_class", "text", (column) => column.notNull())
      .addColumn("sums", "blob", (column) => column.notNull())
      .addPrimaryKeyConstraint("exposures_key", ["rollout", "device"])
      .execute();
  },
};
