import type { Kysely, Migration } from "kysely";

/** Rollouts, the devices they changed, who approved them, what happened, and who may decide. */
export const rolloutsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("rollouts")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("revision", "bigint", (column) => column.notNull())
      .addColumn("members_revision", "bigint", (column) => column.notNull())
      .addColumn("release", "text", (column) => column.notNull())
      .addColumn("plan", "text", (column) => column.notNull())
      .addColumn("seed", "bigint", (column) => column.notNull())
      .addColumn("reason", "text")
      .addColumn("wave", "integer")
      .addColumn("wave_opened_at", "bigint")
      .addColumn("wave_clock_at", "bigint")
      .addColumn("gate_held_since", "bigint")
      .addColumn("skip_wave", "integer")
      .addColumn("planned_waves", "integer")
      .addColumn("gate", "text")
      .addColumn("pace", "text")
      .addColumn("wagers", "text")
      .addColumn("approvals_needed", "integer", (column) => column.notNull())
      .addColumn("created_by", "text", (column) => column.notNull())
      .addColumn("submitted_by", "text")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("started_at", "bigint")
      .addColumn("ended_at", "bigint")
      .execute();
    await db.schema.createIndex("rollouts_state").on("rollouts").column("state").execute();
    await db.schema.createIndex("rollouts_created").on("rollouts").columns(["created_at", "id"]).execute();

    await db.schema
      .createTable("rollout_devices")
      .addColumn("rollout", "text", (column) => column.notNull().references("rollouts.id"))
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("site", "text", (column) => column.notNull())
      .addColumn("hardware_class", "text", (column) => column.notNull())
      .addColumn("wave", "integer", (column) => column.notNull())
      .addColumn("position", "integer", (column) => column.notNull())
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("bytes", "bigint", (column) => column.notNull())
      .addColumn("previous", "text")
      .addColumn("attempts", "integer", (column) => column.notNull())
      .addColumn("told_generation", "bigint")
      .addColumn("told_at", "bigint")
      .addColumn("phase", "text")
      .addColumn("phase_at", "bigint")
      .addColumn("not_before", "bigint")
      .addColumn("return_generation", "bigint")
      .addColumn("returned_at", "bigint")
      .addColumn("outcome", "text")
      .addColumn("failure", "text")
      .addPrimaryKeyConstraint("rollout_devices_key", ["rollout", "device"])
      .execute();
    await db.schema
      .createIndex("rollout_devices_position")
      .on("rollout_devices")
      .columns(["rollout", "position"])
      .execute();
    await db.schema.createIndex("rollout_devices_device").on("rollout_devices").column("device").execute();
    await db.schema
      .createIndex("rollout_devices_status")
      .on("rollout_devices")
      .columns(["rollout", "status", "wave"])
      .execute();

    await db.schema
      .createTable("rollout_events")
      .addColumn("rollout", "text", (column) => column.notNull().references("rollouts.id"))
      .addColumn("seq", "integer", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("sentence", "text", (column) => column.notNull())
      .addColumn("numbers", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("rollout_events_key", ["rollout", "seq"])
      .execute();

    await db.schema
      .createTable("rollout_approvals")
      .addColumn("rollout", "text", (column) => column.notNull().references("rollouts.id"))
      .addColumn("operator", "text", (column) => column.notNull())
      .addColumn("operator_name", "text", (column) => column.notNull())
      .addColumn("decision", "text", (column) => column.notNull())
      .addColumn("reason", "text")
      .addColumn("at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("rollout_approvals_key", ["rollout", "operator"])
      .execute();

    await db.schema
      .createTable("leases")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("holder", "text", (column) => column.notNull())
      .addColumn("epoch", "bigint", (column) => column.notNull())
      .addColumn("renewed_at", "bigint", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .execute();
  },
};
