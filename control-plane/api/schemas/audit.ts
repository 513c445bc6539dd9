import { Count, Millis } from "@muster/shared/protocol/primitives";
import { type Static, Type } from "typebox";
import { closed, oneOf, orNull } from "./common.ts";

const Digest = Type.String();

export const AuditEntryResource = Type.Object(
  {
    seq: Count,
    at: Millis,
    actor: Type.Object(
      { kind: oneOf("operator", "system", "device"), id: Type.String(), name: Type.String() },
      closed,
    ),
    /** `<noun>.<verb>`. */
    action: Type.String(),
    /** `<noun>/<id>`; of a call its path. */
    subject: Type.String(),
    detail: Type.Record(Type.String(), Type.Unknown()),
    previous: orNull(Digest),
    /** Over all members above. */
    digest: Digest,
    /** Over the digest, by the audit key, hex. */
    signature: Type.String(),
  },
  closed,
);
export type AuditEntryResource = Static<typeof AuditEntryResource>;

export const AuditPage = Type.Object(
  {
    entries: Type.Array(AuditEntryResource),
    /** `after` or `before` of the next page; null on the last one. */
    next: orNull(Count),
  },
  closed,
);
export type AuditPage = Static<typeof AuditPage>;

export const CheckpointResource = Type.Object(
  { seq: Count, digest: Digest, at: Millis, signature: Type.String() },
  closed,
);

export const AuditHead = Type.Object(
  {
    /** Ed25519, hex. */
    publicKey: Type.String(),
    keyId: Type.String(),
    /** First entry that retention left, and the newest one; null while there is none. */
    first: orNull(Count),
    last: orNull(Count),
    /** Signed just now where anything was added; null while the log is empty. */
    checkpoint: orNull(CheckpointResource),
  },
  closed,
);
export type AuditHead = Static<typeof AuditHead>;

export const CheckpointList = Type.Object({ checkpoints: Type.Array(CheckpointResource) }, closed);
export type CheckpointList = Static<typeof CheckpointList>;
