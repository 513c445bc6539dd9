/** The audit log in control.db: only ever appended to; triggers refuse everything else. */
export interface AuditLogTable {
  /** Counts from 1 without a gap. */
  seq: number;
  /** Milliseconds since the epoch. */
  at: number;
  actor_kind: "operator" | "system" | "device";
  actor_id: string;
  actor_name: string;
  action: string;
  subject: string;
  /** Canonical JSON. */
  detail: string;
  /** Digest of the entry before it. */
  previous: string | null;
  digest: string;
  /** Ed25519 over the digest, hex. */
  signature: string;
}

export interface AuditTables {
  audit_log: AuditLogTable;
}
