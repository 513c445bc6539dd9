import type { Kysely, Migration } from "kysely";

/**
 * Keys of sealed models, the releases that need them, and the devices that hold a lease; and a mark for what devices told
 * while they did not pass attestation.
 */
export const modelKeysMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("model_keys")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("wrapped", "text")
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("created_by", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("withdrawn_by", "text")
      .addColumn("withdrawn_at", "bigint")
      .execute();
    await db.schema
      .createTable("release_keys")
      .addColumn("release", "text", (column) => column.notNull())
      .addColumn("key", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("release_keys_key", ["release", "key"])
      .execute();
    await db.schema.createIndex("release_keys_by_key").on("release_keys").column("key").execute();
    await db.schema
      .createTable("model_key_leases")
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("key", "text", (column) => column.notNull())
      .addColumn("issued_at", "bigint", (column) => column.notNull())
      .addColumn("not_after", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("model_key_leases_key", ["device", "key"])
      .execute();
    await db.schema.createIndex("model_key_leases_by_key").on("model_key_leases").column("key").execute();
    await db.schema
      .alterTable("device_events")
      .addColumn("withheld", "integer", (column) => column.notNull().defaultTo(0))
      .execute();
  },
};
