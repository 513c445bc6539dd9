import { type Kysely, type Migration, sql } from "kysely";

/** Alert rules, alerts, silences, receivers and what they are told. */
export const alertsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // Holds all that is asked about certificates: the rows of devices are large.
    await db.schema
      .createIndex("devices_certificates")
      .on("devices")
      .columns(["status", "certificate_expires_at", "id"])
      .execute();

    await db.schema
      .createTable("alert_rules")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("rule", "text", (column) => column.notNull())
      .addColumn("changed_at", "bigint", (column) => column.notNull())
      .addColumn("changed_by", "text", (column) => column.notNull())
      .execute();

    await db.schema
      .createTable("alerts")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("rule", "text", (column) => column.notNull())
      .addColumn("group_key", "text", (column) => column.notNull())
      .addColumn("place", "text", (column) => column.notNull())
      .addColumn("site", "text")
      .addColumn("severity", "text", (column) => column.notNull())
      .addColumn("signal", "text", (column) => column.notNull())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("since", "bigint", (column) => column.notNull())
      .addColumn("fired_at", "bigint")
      .addColumn("quiet_since", "bigint")
      .addColumn("unknown_since", "bigint")
      .addColumn("resolved_at", "bigint")
      .addColumn("resolved_reason", "text")
      .addColumn("breaching", "integer", (column) => column.notNull())
      .addColumn("members", "integer", (column) => column.notNull())
      .addColumn("value", "real", (column) => column.notNull())
      .addColumn("examples", "text", (column) => column.notNull())
      .addColumn("summary", "text", (column) => column.notNull())
      .addColumn("remedy", "text", (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex("alerts_active")
      .unique()
      .on("alerts")
      .columns(["rule", "group_key"])
      .where(sql.ref("state"), "!=", sql.lit("resolved"))
      .execute();
    await db.schema
      .createIndex("alerts_of_rule")
      .on("alerts")
      .columns(["rule", "resolved_at", "id"])
      .execute();
    await db.schema.createIndex("alerts_resolved").on("alerts").columns(["resolved_at", "id"]).execute();

    await db.schema
      .createTable("alert_silences")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("selector", "text", (column) => column.notNull())
      .addColumn("from_at", "bigint", (column) => column.notNull())
      .addColumn("until_at", "bigint", (column) => column.notNull())
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("created_by", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .execute();

    await db.schema
      .createTable("alert_receivers")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("receiver", "text", (column) => column.notNull())
      .addColumn("secret", "text")
      .addColumn("changed_at", "bigint", (column) => column.notNull())
      .addColumn("changed_by", "text", (column) => column.notNull())
      .execute();

    await db.schema
      .createTable("alert_told")
      .addColumn("receiver", "text", (column) => column.notNull())
      .addColumn("group_key", "text", (column) => column.notNull())
      .addColumn("last_sent_at", "bigint", (column) => column.notNull())
      .addColumn("told", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("alert_told_key", ["receiver", "group_key"])
      .execute();

    await db.schema
      .createTable("alert_notifications")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("seq", "bigint", (column) => column.notNull())
      .addColumn("receiver", "text", (column) => column.notNull())
      .addColumn("group_key", "text", (column) => column.notNull())
      .addColumn("body", "text", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("attempts", "integer", (column) => column.notNull())
      .addColumn("next_attempt_at", "bigint", (column) => column.notNull())
      .addColumn("outcome", "text")
      .addColumn("ended_at", "bigint")
      .addColumn("error", "text")
      .execute();
    await db.schema
      .createIndex("alert_notifications_receiver")
      .on("alert_notifications")
      .columns(["receiver", "outcome", "seq"])
      .execute();
  },
};
