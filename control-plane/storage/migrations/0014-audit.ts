import { type Kysely, type Migration, sql } from "kysely";

/** The audit log. It refuses changes, and deletions but of what a signed `audit.cut` entry names. */
export const auditMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`
      CREATE TABLE audit_log (seq INTEGER PRIMARY KEY, at BIGINT NOT NULL, actor_kind TEXT NOT NULL,
        actor_id TEXT NOT NULL, actor_name TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
        detail TEXT NOT NULL, previous TEXT, digest TEXT NOT NULL, signature TEXT NOT NULL)`.execute(db);
    for (const columns of ["action", "subject", "actor_id", "actor_name", "at"])
      await sql.raw(`CREATE INDEX audit_log_by_${columns} ON audit_log (${columns})`).execute(db);
    await sql`
      CREATE TRIGGER audit_log_changed BEFORE UPDATE ON audit_log
      BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END`.execute(db);
    // Nor by INSERT OR REPLACE, which runs no trigger of a deletion.
    await sql`
      CREATE TRIGGER audit_log_replaced BEFORE INSERT ON audit_log
      WHEN NEW.seq <= (SELECT max(seq) FROM audit_log)
      BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END`.execute(db);
    await sql`
      CREATE TRIGGER audit_log_deleted BEFORE DELETE ON audit_log
      WHEN OLD.seq > coalesce((SELECT detail ->> 'through' FROM audit_log WHERE action = 'audit.cut'
        ORDER BY seq DESC LIMIT 1), 0)
      BEGIN SELECT RAISE(ABORT, 'the audit log is only cut behind a signed entry'); END`.execute(db);
  },
};
