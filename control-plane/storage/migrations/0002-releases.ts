import type { Kysely, Migration } from "kysely";

/** TUF metadata, the release registry and quarantine. */
export const releasesMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("trust_metadata")
      .addColumn("role", "text", (column) => column.notNull())
      .addColumn("version", "bigint", (column) => column.notNull())
      .addColumn("body", "text", (column) => column.notNull())
      .addColumn("expires_at", "bigint", (column) => column.notNull())
      .addColumn("added_at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("trust_metadata_key", ["role", "version"])
      .execute();

    await db.schema
      .createTable("releases")
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("version", "text", (column) => column.notNull())
      .addColumn("sequence", "bigint", (column) => column.notNull())
      .addColumn("digest", "text", (column) => column.notNull().unique())
      .addColumn("manifest", "text", (column) => column.notNull())
      .addColumn("size", "bigint", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("releases_key", ["name", "version"])
      .addUniqueConstraint("releases_sequence", ["name", "sequence"])
      .execute();

    await db.schema
      .createTable("release_artifacts")
      .addColumn("release", "text", (column) => column.notNull().references("releases.digest"))
      .addColumn("artifact", "text", (column) => column.notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("size", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("release_artifacts_key", ["release", "artifact"])
      .execute();
    await db.schema
      .createIndex("release_artifacts_artifact")
      .on("release_artifacts")
      .column("artifact")
      .execute();

    await db.schema
      .createTable("quarantines")
      .addColumn("release", "text", (column) => column.notNull())
      .addColumn("hardware_class", "text", (column) => column.notNull())
      .addColumn("rollout", "text", (column) => column.notNull())
      .addColumn("reason", "text", (column) => column.notNull())
      .addColumn("at", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("quarantines_key", ["release", "hardware_class"])
      .execute();
  },
};
