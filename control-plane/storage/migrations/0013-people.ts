import { type Kysely, type Migration, sql } from "kysely";

const EVERYTHING = JSON.stringify([{ role: "admin", site: "*" }]);

/** Roles, several tokens for each operator, sessions, approval policies of sites, and secrets of devices. */
export const peopleMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("operator_tokens")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("operator", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("secret_hash", "text", (column) => column.notNull())
      .addColumn("grants", "text")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint")
      .addColumn("last_used_at", "bigint")
      .addColumn("revoked_at", "bigint")
      .execute();
    await db.schema
      .createIndex("operator_tokens_by_operator")
      .on("operator_tokens")
      .column("operator")
      .execute();
    // A token that was given out names its operator: it goes on under that id.
    await sql`INSERT INTO operator_tokens (id, operator, name, secret_hash, created_at, last_used_at, revoked_at)
      SELECT id, id, 'first', token_hash, created_at, last_used_at, revoked_at FROM operators`.execute(db);
    await db.schema.alterTable("operators").dropColumn("token_hash").execute();
    await db.schema.alterTable("operators").dropColumn("last_used_at").execute();
    await db.schema
      .alterTable("operators")
      .addColumn("grants", "text", (column) => column.notNull().defaultTo(EVERYTHING))
      .execute();
    await db.schema.alterTable("operators").addColumn("issuer", "text").execute();
    await db.schema.alterTable("operators").addColumn("subject", "text").execute();
    await db.schema
      .createTable("sessions")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("operator", "text", (column) => column.notNull())
      .addColumn("secret_hash", "text", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("csrf", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .addColumn("last_used_at", "bigint", (column) => column.notNull())
      .addColumn("ended_at", "bigint")
      .execute();
    await db.schema
      .createTable("approval_policies")
      .addColumn("site", "text", (column) => column.primaryKey())
      .addColumn("approvals", "integer", (column) => column.notNull())
      .addColumn("changed_by", "text", (column) => column.notNull())
      .addColumn("changed_at", "bigint", (column) => column.notNull())
      .execute();
    await db.schema
      .createTable("secrets")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("scope", "text", (column) => column.notNull())
      .addColumn("key_id", "text", (column) => column.notNull())
      .addColumn("sealed", "text", (column) => column.notNull())
      .addColumn("version", "integer", (column) => column.notNull())
      .addColumn("changed_by", "text", (column) => column.notNull())
      .addColumn("changed_at", "bigint", (column) => column.notNull())
      .addUniqueConstraint("secrets_by_name", ["name", "scope"])
      .execute();
  },
};
