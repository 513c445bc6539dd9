import type { Kysely, Migration } from "kysely";

/** Devices, join tokens, updates and events. `bigint` holds milliseconds in SQLite and in PostgreSQL. */
export const fleetMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("devices")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("site", "text", (column) => column.notNull())
      .addColumn("labels", "text", (column) => column.notNull())
      .addColumn("signing_key", "text", (column) => column.notNull())
      .addColumn("hardware", "text", (column) => column.notNull())
      .addColumn("hardware_class", "text", (column) => column.notNull())
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("enrolled_at", "bigint", (column) => column.notNull())
      .addColumn("join_token", "text")
      .addColumn("certificate_serial", "text", (column) => column.notNull())
      .addColumn("certificate_expires_at", "bigint", (column) => column.notNull())
      .addColumn("generation", "bigint", (column) => column.notNull().defaultTo(0))
      .addColumn("directive", "text")
      .addColumn("reported", "text")
      .addColumn("reported_session", "text")
      .addColumn("reported_seq", "bigint", (column) => column.notNull().defaultTo(0))
      .addColumn("reported_at", "bigint")
      .addColumn("running_digest", "text")
      .addColumn("agent_version", "text")
      .addColumn("last_seen_at", "bigint")
      .addColumn("revoked_at", "bigint")
      .addColumn("revoked_reason", "text")
      .addUniqueConstraint("devices_site_name", ["site", "name"])
      .execute();
    await db.schema.createIndex("devices_running").on("devices").column("running_digest").execute();

    await db.schema
      .createTable("join_tokens")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("secret_hash", "text", (column) => column.notNull())
      .addColumn("site", "text", (column) => column.notNull())
      .addColumn("labels", "text", (column) => column.notNull())
      .addColumn("uses", "integer", (column) => column.notNull())
      .addColumn("uses_left", "integer", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .addColumn("revoked_at", "bigint")
      .execute();

    await db.schema
      .createTable("device_updates")
      .addColumn("device", "text", (column) => column.notNull().references("devices.id"))
      .addColumn("generation", "bigint", (column) => column.notNull())
      .addColumn("rollout", "text")
      .addColumn("release", "text")
      .addColumn("phase", "text", (column) => column.notNull())
      .addColumn("outcome", "text")
      .addColumn("failure", "text")
      .addColumn("started_at", "bigint", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("device_updates_key", ["device", "generation"])
      .execute();
    await db.schema.createIndex("device_updates_rollout").on("device_updates").column("rollout").execute();

    await db.schema
      .createTable("device_events")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("device", "text", (column) => column.notNull().references("devices.id"))
      .addColumn("source", "text", (column) => column.notNull())
      .addColumn("code", "text", (column) => column.notNull())
      .addColumn("message", "text", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("received_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("device_events_by_device")
      .on("device_events")
      .columns(["device", "received_at"])
      .execute();
  },
};
