import type { Batch, Birth, Heartbeat, OutboxRecord } from "@muster/shared/protocol/messages";
import type { ReportedState } from "@muster/shared/protocol/state";

/** Newest state of a device that waits to be written; a birth brings facts about box and agent with it. */
export interface PendingState {
  device: string;
  session: string;
  seq: number;
  receivedAt: number;
  state: ReportedState;
  birth?: Pick<Birth, "hardware" | "agentVersion">;
}

/** What the control plane itself has to say about a device. */
export interface Note {
  kind: "note";
  device: string;
  code: string;
  message: string;
  receivedAt: number;
}

export interface BatchEntry {
  kind: "batch";
  device: string;
  batch: Batch;
  receivedAt: number;
}

export interface HeartbeatEntry {
  kind: "heartbeat";
  device: string;
  beat: Heartbeat;
  receivedAt: number;
}

export type Entry = BatchEntry | HeartbeatEntry | Note;

/** A batch without the records that are stored already. */
export interface FreshBatch {
  device: string;
  outbox: string;
  receivedAt: number;
  records: OutboxRecord[];
  /** Position of the outbox once these records are stored. */
  upTo: number;
}

export const recordsOf = (entry: Entry): number => (entry.kind === "batch" ? entry.batch.records.length : 1);

/**
 * Drops the records that are stored already: those up to the position of their outbox. The sequence may have
 * holes, where the device evicted records.
 * @param positionOf stored position of an outbox, 0 for an unknown one
 */
export function withoutRepeats(
  entries: readonly BatchEntry[],
  positionOf: (device: string, outbox: string) => number,
): FreshBatch[] {
  const positions = new Map<string, number>();
  return entries.map(({ device, batch, receivedAt }) => {
    const { outbox } = batch;
    const key = `${device}/${outbox}`;
    const position = positions.get(key) ?? positionOf(device, outbox);
    const last = batch.records.at(-1)?.seq ?? 0;
    const upTo = Math.max(position, last);
    positions.set(key, upTo);
    const [first] = batch.records;
    const records =
      first && first.seq > position ? batch.records : batch.records.filter(({ seq }) => seq > position);
    return { device, outbox, receivedAt, records, upTo };
  });
}
