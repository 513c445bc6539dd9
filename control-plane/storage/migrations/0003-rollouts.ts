import type { Kysely, Migration } from "kysely";

/** Rollouts, the devices they changed and what happened. */
export const rolloutsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("rollouts")
      .addColumn("id", "text", (column) => column.primaryKey())
      .addColumn("state", "text", (column) => column.notNull())
      .addColumn("release", "text", (column) => column.notNull())
      .addColumn("plan", "text", (column) => column.notNull())
      .addColumn("seed", "bigint", (column) => column.notNull())
      .addColumn("reason", "text")
      .addColumn("wave", "integer")
      .addColumn("wave_opened_at", "bigint")
      .addColumn("gate_held_since", "bigint")
      .addColumn("wave_accepted", "integer", (column) => column.notNull())
      .addColumn("gate", "text")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("started_at", "bigint")
      .addColumn("ended_at", "bigint")
      .execute();
    await db.schema.createIndex("rollouts_state").on("rollouts").column("state").execute();

    await db.schema
      .createTable("rollout_devices")
      .addColumn("rollout", "text", (column) => column.notNull().references("rollouts.id"))
      .addColumn("device", "text", (column) => column.notNull())
      .addColumn("site", "text", (column) => column.notNull())
      .addColumn("hardware_class", "text", (column) => column.notNull())
      .addColumn("wave", "integer", (column) => column.notNull())
      .addColumn("position", "integer", (column) => column.notNull())
      .addColumn("status", "text", (column) => column.notNull())
      .addColumn("previous", "text")
      .addColumn("told_generation", "bigint")
      .addColumn("told_at", "bigint")
      .addColumn("reached_at", "bigint")
      .addColumn("return_generation", "bigint")
      .addColumn("returned_at", "bigint")
      .addColumn("outcome", "text")
      .addColumn("failure", "text")
      .addPrimaryKeyConstraint("rollout_devices_key", ["rollout", "device"])
      .execute();
    await db.schema.createIndex("rollout_devices_device").on("rollout_devices").column("device").execute();

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
  },
};
