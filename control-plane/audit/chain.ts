import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import { type SigningKey, signBytes, verifyBytes } from "@muster/shared/trust/ed25519";
import type { AuditActor, AuditEntry, AuditEvent, Checkpoint } from "./entry.ts";

const ENTRY_DOMAIN = "muster/audit-entry/v1";
const CHECKPOINT_DOMAIN = "muster/audit-checkpoint/v1";

/** Most bytes of the detail of an entry; of a larger one only its digest is kept. */
const MOST_DETAIL_BYTES = 16 * 1024;
const MOST_TEXT = 512;

/** Where the chain stands; null before the first entry. */
export type Head = Pick<AuditEntry, "seq" | "digest"> | null;

const bytesOf = (domain: string, text: string): Uint8Array => Buffer.from(`${domain}\n${text}`);

/** Digest over everything that an entry says, with the digest of the one before it. */
export function digestOf(entry: Omit<AuditEntry, "digest" | "signature">): string {
  const { seq, at, actor, action, subject, detail, previous } = entry;
  const { kind, id, name } = actor;
  return sha256(canonicalJson({ seq, at, actor: { kind, id, name }, action, subject, detail, previous }));
}

/** The next entry of the chain, signed. `at` in milliseconds since the epoch. */
export function seal(key: SigningKey, head: Head, event: AuditEvent, at: number): AuditEntry {
  const open = {
    seq: (head?.seq ?? 0) + 1,
    at,
    actor: plainActor(event.actor),
    action: plain(event.action),
    subject: plain(event.subject),
    detail: plainDetail(event.detail),
    previous: head?.digest ?? null,
  };
  const digest = digestOf(open);
  return { ...open, digest, signature: signBytes(key, bytesOf(ENTRY_DOMAIN, digest)) };
}

/** True where the holder of one of these keys (hex) signed the digest of the entry. */
export const isSigned = ({ digest, signature }: AuditEntry, publicKeys: readonly string[]): boolean =>
  publicKeys.some((key) => verifyBytes(key, bytesOf(ENTRY_DOMAIN, digest), signature));

const checkpointText = ({ seq, digest, at }: Omit<Checkpoint, "signature">): string =>
  canonicalJson({ seq, digest, at });

export function signCheckpoint(key: SigningKey, head: NonNullable<Head>, at: number): Checkpoint {
  const open = { seq: head.seq, digest: head.digest, at };
  return { ...open, signature: signBytes(key, bytesOf(CHECKPOINT_DOMAIN, checkpointText(open))) };
}

export const isCheckpointSigned = (checkpoint: Checkpoint, publicKeys: readonly string[]): boolean =>
  publicKeys.some((key) =>
    verifyBytes(key, bytesOf(CHECKPOINT_DOMAIN, checkpointText(checkpoint)), checkpoint.signature),
  );

/** Text as SQLite and canonical JSON can both carry it: no lone surrogates, and bounded. */
const plain = (text: string): string => Buffer.from(text.slice(0, MOST_TEXT)).toString();

const plainActor = ({ kind, id, name }: AuditActor): AuditActor => ({
  kind,
  id: plain(id),
  name: plain(name),
});

function plainDetail(detail: Readonly<Record<string, unknown>>): Record<string, unknown> {
  // JSON writes a lone surrogate, and nothing else, as an escape of this form.
  const text = JSON.stringify(detail).replace(/\\ud[89a-f][0-9a-f]{2}/g, "\\ufffd");
  const bytes = Buffer.byteLength(text);
  return bytes <= MOST_DETAIL_BYTES
    ? (JSON.parse(text) as Record<string, unknown>)
    : { leftOut: { bytes, digest: sha256(text) } };
}
