/** Who did it: a person or key by its operator, the control plane by itself, or a device. */
export interface AuditActor {
  readonly kind: "operator" | "system" | "device";
  readonly id: string;
  readonly name: string;
}

/** One decision or change. `detail` holds what a reader needs to understand it, never a secret. */
export interface AuditEvent {
  readonly actor: AuditActor;
  /** What was done, `<noun>.<verb>`: `rollout.start`, `device.revoke`, `key.release`. */
  readonly action: string;
  /** To what: `<noun>/<id>`. */
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/**
 * Takes what is to be on record; keeps the order in which it is told. Changes of control.db need no call: `records/`
 * lists them, and SQLite writes their entry with the change itself.
 */
export interface AuditSink {
  note(event: AuditEvent): void;
}

/** One line of the log. The chain goes through `previous`; the signature is over the digest. */
export interface AuditEntry extends AuditEvent {
  /** Counts from 1 without a gap. */
  readonly seq: number;
  /** Milliseconds since the epoch, by the control plane's clock. */
  readonly at: number;
  /** Digest of the entry before it; null for the very first one. */
  readonly previous: string | null;
  /** SHA-256 of the canonical JSON of all members above, `sha256:<hex>`. */
  readonly digest: string;
  /** Ed25519 by the audit key, hex. */
  readonly signature: string;
}

/** That the log reached so far, kept apart from it: what is cut off behind a checkpoint is missed. */
export interface Checkpoint {
  readonly seq: number;
  readonly digest: string;
  readonly at: number;
  readonly signature: string;
}

export const CONTROL_PLANE: AuditActor = { kind: "system", id: "control-plane", name: "control plane" };
