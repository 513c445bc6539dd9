import type { AuditLogTable } from "../storage/tables/audit.ts";
import type { AuditEntry } from "./entry.ts";

export const entryOf = (row: AuditLogTable): AuditEntry => ({
  seq: row.seq,
  at: row.at,
  actor: { kind: row.actor_kind, id: row.actor_id, name: row.actor_name },
  action: row.action,
  subject: row.subject,
  detail: JSON.parse(row.detail) as Record<string, unknown>,
  previous: row.previous,
  digest: row.digest,
  signature: row.signature,
});
