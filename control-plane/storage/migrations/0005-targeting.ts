import { type Kysely, type Migration, sql } from "kysely";

/** Columns of `devices` that the picture of the fleet shows: who was heard when is not among them. */
const SHOWN = [
  "name",
  "site",
  "labels",
  "hardware",
  "hardware_class",
  "status",
  "generation",
  "directive",
  "reported",
  "agent_version",
];

/** Settings of sites, saved groups, and revisions by which a reader finds the rows that changed since it looked. */
export const targetingMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await addRevision(db, "devices", ["id"], SHOWN);
    await addRevision(
      db,
      "device_updates",
      ["device", "generation"],
      ["rollout", "release", "phase", "outcome", "failure", "started_at", "at"],
    );
    await db.schema
      .createTable("sites")
      .addColumn("path", "text", (column) => column.primaryKey())
      .addColumn("labels", "text", (column) => column.notNull())
      .addColumn("time_zone", "text")
      .addColumn("uplink_kbps", "bigint")
      .addColumn("windows", "text")
      .execute();
    await db.schema
      .createTable("groups")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("selector", "text", (column) => column.notNull())
      .addColumn("description", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("changed_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("targeting_revision")
      .addColumn("one", "integer", (column) => column.primaryKey().check(sql`one = 1`))
      .addColumn("revision", "bigint", (column) => column.notNull())
      .execute();
    await sql`INSERT INTO targeting_revision VALUES (1, 1)`.execute(db);
    for (const table of ["sites", "groups"])
      for (const event of ["INSERT", "UPDATE", "DELETE"])
        await sql
          .raw(
            `CREATE TRIGGER ${table}_${event.toLowerCase()} AFTER ${event} ON ${table} BEGIN
               UPDATE targeting_revision SET revision = revision + 1;
             END`,
          )
          .execute(db);
  },
};

/** Rows carry a number that grows with each change, set by the database: no writer can forget it. */
async function addRevision(
  db: Kysely<unknown>,
  table: string,
  key: readonly string[],
  columns: readonly string[],
): Promise<void> {
  await db.schema.alterTable(table).addColumn("revision", "bigint").execute();
  await sql.raw(`UPDATE ${table} SET revision = rowid`).execute(db);
  await db.schema.createIndex(`${table}_revision`).unique().on(table).column("revision").execute();
  const isNew = key.map((column) => `${column} = NEW.${column}`).join(" AND ");
  const body = `BEGIN
    UPDATE ${table} SET revision = (SELECT coalesce(max(revision), 0) + 1 FROM ${table}) WHERE ${isNew};
  END`;
  await sql.raw(`CREATE TRIGGER ${table}_inserted AFTER INSERT ON ${table} ${body}`).execute(db);
  await sql
    .raw(`CREATE TRIGGER ${table}_changed AFTER UPDATE OF ${columns.join(", ")} ON ${table} ${body}`)
    .execute(db);
}
