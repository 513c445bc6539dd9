import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { encodeBatch } from "@muster/agent/link/batch";
import { Outbox } from "@muster/agent/outbox/outbox";
import { openDatabase } from "@muster/agent/storage/database";
import type { Batch, ResultBody } from "@muster/shared/protocol/messages";

/** Records and bytes of one batch: what the agent sends by default. */
const BATCH_RECORDS = 500;
const BATCH_BYTES = 200 * 1024;

const body = (index: number): ResultBody => ({
  id: `window-${index}`,
  model: "vibration",
  version: "1.1.0",
  variant: "int8",
  digest: `sha256:${"ab".repeat(32)}`,
  provider: "cpu",
  latencyUs: 400 + (index % 97),
  ok: true,
  top: { index: index % 6, score: 0.9 + (index % 100) / 1001, label: "outer-race" },
});

/** Puts results into the outbox of a device that does not run, and answers them as the batches it will send. */
export function fillOutbox(dataDirectory: string, count: number): string[] {
  const database = openDatabase(join(dataDirectory, "agent.db"));
  try {
    const outbox = new Outbox(database, {
      limitBytes: 1024 ** 3,
      newId: () => randomBytes(12).toString("base64url"),
    });
    const first = outbox.position().lastSeq;
    for (let index = 0; index < count; index += BATCH_RECORDS) {
      const records = Array.from({ length: Math.min(BATCH_RECORDS, count - index) }, (_, offset) => ({
        kind: "result" as const,
        at: Date.now(),
        body: body(index + offset),
      }));
      outbox.append(records);
    }
    return batches(outbox, first);
  } finally {
    database.close();
  }
}

/** The same results, each in a message of its own. */
export const oneByOne = (payloads: readonly string[], count: number): string[] =>
  payloads
    .flatMap((payload) => (JSON.parse(payload) as Batch).records)
    .slice(0, count)
    .map((record) => JSON.stringify(record));

function batches(outbox: Outbox, after: number): string[] {
  const payloads: string[] = [];
  for (let seq = after; ; ) {
    const records = outbox.read(seq, BATCH_RECORDS, BATCH_BYTES);
    const last = records.at(-1);
    if (!last) return payloads;
    payloads.push(encodeBatch("bench-session", outbox.position().id, records));
    seq = last.seq;
  }
}
