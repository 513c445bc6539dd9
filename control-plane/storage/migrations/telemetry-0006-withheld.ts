import { type Kysely, type Migration, sql } from "kysely";

/** Marks what came from devices that did not pass attestation. */
export const withheldMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const days = await sql<{ name: string }>`SELECT name FROM sqlite_master WHERE type = 'table'`.execute(db);
    for (const { name } of days.rows)
      if (/^results_\d{8}$/.test(name))
        await db.schema
          .alterTable(name)
          .addColumn("withheld", "integer", (column) => column.notNull().defaultTo(0))
          .execute();
    await db.schema
      .alterTable("result_counts")
      .addColumn("withheld", "bigint", (column) => column.notNull().defaultTo(0))
      .execute();
  },
};
