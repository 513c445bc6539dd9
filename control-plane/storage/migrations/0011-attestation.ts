import { type Kysely, type Migration, sql } from "kysely";

const STANDING_COLUMNS = [
  "tier",
  "claims",
  "findings",
  "sentence",
  "at",
  "fresh_at",
  "not_after",
  "withheld",
  "withheld_after",
];

/** Verdicts, what appraisals remember, policies and reference sets. */
export const attestationMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await standings(db);
    await db.schema
      .createTable("attestation_states")
      .addColumn("device", "text", (column) => column.primaryKey())
      .addColumn("history", "text", (column) => column.notNull())
      .addColumn("evidence", "text")
      .addColumn("boot_log", "text")
      .execute();
    await db.schema
      .createTable("attestation_logs")
      .addColumn("digest", "text", (column) => column.primaryKey())
      .addColumn("content", "blob", (column) => column.notNull())
      .addColumn("used_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("attestation_history")
      .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("source", "text", (column) => column.notNull())
      .addColumn("tier", "text")
      .addColumn("sentence", "text", (column) => column.notNull())
      .addColumn("findings", "text", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("attestation_history_by_device")
      .on("attestation_history")
      .columns(["device", "id"])
      .execute();
    await db.schema
      .createTable("attestation_policies")
      .addColumn("scope", "text", (column) => column.primaryKey())
      .addColumn("content", "text", (column) => column.notNull())
      .addColumn("changed_by", "text", (column) => column.notNull())
      .addColumn("changed_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("attestation_references")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("sequence", "bigint", (column) => column.notNull())
      .addColumn("hardware_class", "text", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull())
      .addColumn("document", "text", (column) => column.notNull())
      .addColumn("key_id", "text", (column) => column.notNull())
      .addColumn("imported_by", "text", (column) => column.notNull())
      .addColumn("imported_at", "bigint", (column) => column.notNull())
      .execute();
  },
};

/** Rows carry a number that grows with each change, by which a reader finds those that changed since it looked. */
async function standings(db: Kysely<unknown>): Promise<void> {
  const table = "attestation_standings";
  await db.schema
    .createTable(table)
    .addColumn("device", "text", (column) => column.primaryKey())
    .addColumn("tier", "text", (column) => column.notNull())
    .addColumn("claims", "text", (column) => column.notNull())
    .addColumn("findings", "text", (column) => column.notNull())
    .addColumn("sentence", "text", (column) => column.notNull())
    .addColumn("at", "bigint", (column) => column.notNull())
    .addColumn("fresh_at", "bigint")
    .addColumn("not_after", "bigint", (column) => column.notNull())
    .addColumn("withheld", "integer", (column) => column.notNull())
    .addColumn("withheld_after", "bigint")
    .addColumn("revision", "bigint")
    .execute();
  await db.schema.createIndex(`${table}_revision`).unique().on(table).column("revision").execute();
  const body = `BEGIN
    UPDATE ${table} SET revision = (SELECT coalesce(max(revision), 0) + 1 FROM ${table})
    WHERE device = NEW.device;
  END`;
  await sql.raw(`CREATE TRIGGER ${table}_inserted AFTER INSERT ON ${table} ${body}`).execute(db);
  await sql
    .raw(`CREATE TRIGGER ${table}_changed AFTER UPDATE OF ${STANDING_COLUMNS.join(", ")} ON ${table} ${body}`)
    .execute(db);
}
