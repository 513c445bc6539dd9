import { type Kysely, type Migration, sql } from "kysely";

/** What binds a device to its TPM, vendor roots for that, quarantine, replacement, and commands to devices. */
export const enrollmentMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable("devices")
      .addColumn("assurance", "text", (column) => column.notNull().defaultTo("software"))
      .execute();
    for (const column of [
      "assurance_reason",
      "ek_name",
      "ak_name",
      "ak_public",
      "sealing_key",
      "quarantined_reason",
      "replaces",
      "replaced_by",
    ])
      await db.schema.alterTable("devices").addColumn(column, "text").execute();
    for (const column of ["quarantined_at", "decommissioned_at"])
      await db.schema.alterTable("devices").addColumn(column, "bigint").execute();
    await sql`CREATE UNIQUE INDEX devices_tpm ON devices (ek_name) WHERE ek_name IS NOT NULL AND status <> 'revoked'`.execute(
      db,
    );
    // What these columns say is part of the picture of the fleet, as `status` is.
    await sql
      .raw(
        `CREATE TRIGGER devices_bound AFTER UPDATE OF assurance ON devices BEGIN
           UPDATE devices SET revision = (SELECT coalesce(max(revision), 0) + 1 FROM devices) WHERE id = NEW.id;
         END`,
      )
      .execute(db);
    await db.schema
      .alterTable("join_tokens")
      .addColumn("min_assurance", "text", (column) => column.notNull().defaultTo("software"))
      .execute();
    await db.schema.alterTable("join_tokens").addColumn("replaces", "text").execute();
    await db.schema
      .createTable("ek_roots")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("certificate", "text", (column) => column.notNull())
      .addColumn("added_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("device_commands")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("device", "text", (column) => column.notNull().references("devices.id"))
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("document", "text", (column) => column.notNull())
      .addColumn("issued_at", "bigint", (column) => column.notNull())
      .addColumn("not_after", "bigint", (column) => column.notNull())
      .addColumn("ended_at", "bigint")
      .addColumn("outcome", "text")
      .execute();
    await db.schema
      .createIndex("device_commands_by_device")
      .on("device_commands")
      .columns(["device", "issued_at"])
      .execute();
  },
};
