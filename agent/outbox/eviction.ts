import { MusterError } from "@muster/shared/errors";
import type { GapBody } from "@muster/shared/protocol/messages";
import { EVICTABLE, encodeGap, rankOf } from "./records.ts";
import type { Statements, StateRow } from "./statements.ts";

/** Records looked at in one step while room is made. */
const STEP = 256;

export interface Room {
  limitBytes: number;
  /** Size of the records that are to come, bytes. */
  needed: number;
  /** Highest rank among them: nothing of a higher rank is evicted for them. */
  rank: number;
  /** Gaps up to this seq may have been sent, and what was sent never changes. */
  handedOut: number;
  at: number;
}

/**
 * Evicts the oldest results, then the oldest events, until `needed` bytes fit, and leaves a gap record for
 * each kind. Runs inside the caller's transaction and changes `state`.
 * @throws MusterError `outbox.full` when that does not make enough room
 */
export function makeRoom(sql: Statements, state: StateRow, room: Room): void {
  for (const kind of EVICTABLE) {
    if (rankOf(kind) > room.rank) break;
    while (state.bytes + room.needed > room.limitBytes) {
      const gap = evictSome(sql, state, kind, state.bytes + room.needed - room.limitBytes);
      if (!gap) break;
      recordGap(sql, state, gap, room);
    }
  }
  if (state.bytes + room.needed > room.limitBytes)
    throw new MusterError(
      "outbox.full",
      `The outbox holds ${state.bytes} of ${room.limitBytes} bytes and nothing in it may make room for ${room.needed} more.`,
    );
}

function evictSome(sql: Statements, state: StateRow, kind: string, missing: number): GapBody | undefined {
  let freed = 0;
  const gone: number[] = [];
  for (const { seq, size } of sql.oldest.all(kind, STEP)) {
    if (freed >= missing) break;
    freed += size;
    gone.push(seq);
  }
  const [fromSeq] = gone;
  const toSeq = gone.at(-1);
  if (fromSeq === undefined || toSeq === undefined) return undefined;
  sql.evict.run(kind, toSeq);
  state.bytes -= freed;
  state.evicted += gone.length;
  return { kind, records: gone.length, fromSeq, toSeq };
}

/** Extends the newest gap of the kind that nobody has read yet, or adds one. */
function recordGap(sql: Statements, state: StateRow, gap: GapBody, room: Room): void {
  const known = sql.unreadGap.get(room.handedOut, gap.kind);
  if (known) {
    const before = JSON.parse(known.body) as GapBody;
    const record = encodeGap(room.at, {
      ...gap,
      records: before.records + gap.records,
      fromSeq: Math.min(before.fromSeq, gap.fromSeq),
    });
    sql.replace.run(record.body, record.size, record.at, known.seq);
    state.bytes += record.size - known.size;
  } else {
    const record = encodeGap(room.at, gap);
    state.last_seq += 1;
    sql.insert.run(state.last_seq, record.kind, record.at, record.size, record.body);
    state.bytes += record.size;
  }
}
