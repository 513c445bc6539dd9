import { MusterError } from "@muster/shared/errors";
import { DriftBody } from "@muster/shared/protocol/drift-window";
import { Evidence } from "@muster/shared/protocol/evidence";
import {
  EventBody,
  type GapBody,
  type OutboxRecord,
  type RecordKind,
  ResultBody,
  UpdateBody,
} from "@muster/shared/protocol/messages";
import { ShadowReport } from "@muster/shared/protocol/shadow-report";
import { validate } from "@muster/shared/protocol/validate";

type Unnumbered<R> = R extends OutboxRecord ? Omit<R, "seq"> : never;

/** A record as other modules hand it in; gaps are the outbox's own. `at` in milliseconds since the epoch. */
export type NewRecord = Exclude<Unnumbered<OutboxRecord>, { kind: "gap" }>;

/** What a record costs besides its body, bytes: row, index entry and the members around it on the wire. */
const OVERHEAD_BYTES = 80;
/** A record must fit into a batch beside the envelope, bytes. */
const MAX_BODY_BYTES = 32 * 1024;
const MAX_MESSAGE = 1000;

/** A record is evicted for records of its own rank or higher; rank 2 is never evicted. */
const RANK: Record<RecordKind, number> = {
  result: 0,
  drift: 1,
  evidence: 1,
  event: 1,
  update: 2,
  gap: 2,
  shadow: 2,
};
export const rankOf = (kind: RecordKind): number => RANK[kind];
/** Kinds that may be evicted, first to go first. */
export const EVICTABLE = ["result", "drift", "evidence", "event"] as const;

const clip = <T extends { message: string }>(failure: T): T =>
  failure.message?.length > MAX_MESSAGE
    ? { ...failure, message: failure.message.slice(0, MAX_MESSAGE) }
    : failure;

/** Messages come from other people's exceptions: one that is too long would have the whole batch refused. */
function withClippedMessage(record: NewRecord): NewRecord {
  if (record.kind === "event") return { ...record, body: clip(record.body) };
  if (record.kind === "drift" || record.kind === "shadow" || record.kind === "evidence") return record;
  if (record.body.failure === undefined) return record;
  const failure = clip(record.body.failure);
  return record.kind === "update"
    ? { ...record, body: { ...record.body, failure } }
    : { ...record, body: { ...record.body, failure } };
}

const SCHEMA = {
  result: ResultBody,
  update: UpdateBody,
  event: EventBody,
  drift: DriftBody,
  shadow: ShadowReport,
  evidence: Evidence,
};

export interface EncodedRecord {
  kind: RecordKind;
  at: number;
  body: string;
  /** What the record counts for against the limit, bytes. */
  size: number;
}

const encode = (kind: RecordKind, at: number, value: object): EncodedRecord => {
  const body = JSON.stringify(value);
  const bytes = Buffer.byteLength(body);
  if (bytes > MAX_BODY_BYTES)
    throw new MusterError(
      "wire.oversized",
      `A ${kind} record has ${bytes} bytes; ${MAX_BODY_BYTES} is the limit.`,
    );
  return { kind, at, body, size: bytes + OVERHEAD_BYTES };
};

/** Checked here because a record of the wrong shape would be refused with its whole batch, for ever. */
export function encodeRecord(record: NewRecord): EncodedRecord {
  const { kind, at, body } = withClippedMessage(record);
  return encode(kind, at, validate(SCHEMA[kind], body, "request.invalid"));
}

export const encodeGap = (at: number, gap: GapBody): EncodedRecord => encode("gap", at, gap);
