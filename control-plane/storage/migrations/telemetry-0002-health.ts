import { type Kysely, type Migration, sql } from "kysely";

/** Sums by device, and by site, class and release, of 5 minutes and of an hour. */
const ROLLUPS = ["device_5m", "device_1h", "group_5m", "group_1h"];

/** Heartbeats have another shape than before: those of the old one are dropped, they are worth two days. */
export const healthMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const { rows } = await sql<{ name: string }>`
      SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'heartbeats\\_%' ESCAPE '\\'`.execute(
      db,
    );
    for (const { name } of rows) await db.schema.dropTable(name).execute();
    await db.schema
      .createTable("health_scopes")
      .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addUniqueConstraint("health_scopes_key", ["kind", "name"])
      .execute();
    for (const name of ROLLUPS)
      await db.schema
        .createTable(`rollups_${name}`)
        .addColumn("bucket", "bigint", (column) => column.notNull())
        .addColumn("scope", "integer", (column) => column.notNull())
        .addColumn("sums", "blob", (column) => column.notNull())
        .addPrimaryKeyConstraint(`rollups_${name}_key`, ["bucket", "scope"])
        .modifyEnd(sql`WITHOUT ROWID`)
        .execute();
    await db.schema
      .createTable("device_health")
      .addColumn("device", "text", (column) => column.primaryKey())
      .addColumn("state", "text", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("health_progress")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "bigint", (column) => column.notNull())
      .execute();
    await db.schema.createIndex("gaps_by_time").on("gaps").column("received_at").execute();
  },
};
