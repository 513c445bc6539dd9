import type { OutboxRecord } from "@muster/shared/protocol/messages";
import type { Database, Statement } from "better-sqlite3";
import { dayTableName, ensureDayTable, RESULT_COLUMNS } from "../storage/day-tables.ts";
import { BuildIds } from "./build-ids.ts";
import type { FreshBatch } from "./entries.ts";

type ResultRecord = Extract<OutboxRecord, { kind: "result" }>;
type GapRecord = Extract<OutboxRecord, { kind: "gap" }>;

/** Writes results, gaps and outbox positions to telemetry.db. */
export class TelemetryWriter {
  readonly #db: Database;
  readonly #isWithheld: (device: string) => boolean;
  readonly #position: Statement<[string, string], { up_to: number }>;
  readonly #setPosition: Statement<[string, string, number, number], number>;
  readonly #builds: BuildIds;
  readonly #count: Statement;
  readonly #gap: Statement;
  readonly #inserts = new Map<string, Statement>();

  /** @param isWithheld true for a device that does not pass attestation now: its results are marked */
  constructor(db: Database, isWithheld: (device: string) => boolean) {
    this.#db = db;
    this.#isWithheld = isWithheld;
    this.#position = db.prepare("SELECT up_to FROM outbox_positions WHERE device = ? AND outbox = ?");
    this.#setPosition = db
      .prepare<[string, string, number, number], number>(
        `INSERT INTO outbox_positions (device, outbox, up_to, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (device, outbox) DO UPDATE SET up_to = excluded.up_to, at = excluded.at
         RETURNING source`,
      )
      .pluck();
    this.#builds = new BuildIds(db);
    this.#count = db.prepare(
      `INSERT INTO result_counts (device, stored, withheld) VALUES (?, ?, ?)
       ON CONFLICT (device) DO UPDATE SET stored = result_counts.stored + excluded.stored,
         withheld = result_counts.withheld + excluded.withheld`,
    );
    this.#gap = db.prepare(
      `INSERT INTO gaps (device, outbox, seq, kind, records, from_seq, to_seq, at, received_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (device, outbox, seq) DO NOTHING`,
    );
  }

  positionOf(device: string, outbox: string): number {
    return this.#position.get(device, outbox)?.up_to ?? 0;
  }

  /** Call it inside a transaction: records and position are stored together or not at all. */
  write(batches: Iterable<FreshBatch>): void {
    for (const batch of batches) this.#writeBatch(batch);
  }

  /** What the last transactions made may have been dropped or rolled back: nothing is taken for granted. */
  forgetTables(): void {
    this.#inserts.clear();
    this.#builds.forget();
  }

  #writeBatch({ device, outbox, receivedAt, records, upTo }: FreshBatch): void {
    if (records.length === 0) return;
    const insert = this.#insertInto(receivedAt);
    const source = this.#setPosition.get(device, outbox, upTo, receivedAt)!;
    const withheld = this.#isWithheld(device) ? 1 : 0;
    let results = 0;
    for (const record of records) {
      if (record.kind === "result") {
        insert.run([...resultRow(source, this.#builds.idOf(record.body), receivedAt, record), withheld]);
        results += 1;
      } else if (record.kind === "gap") this.#gap.run(...gapRow(device, outbox, receivedAt, record));
    }
    if (results > 0) this.#count.run(device, results, withheld * results);
  }

  #insertInto(at: number): Statement {
    const name = dayTableName("results", at);
    let insert = this.#inserts.get(name);
    if (!insert) {
      ensureDayTable(this.#db, "results", name);
      insert = this.#db.prepare(
        `INSERT INTO ${name} (${RESULT_COLUMNS.join(", ")}) VALUES (${RESULT_COLUMNS.map(() => "?").join(", ")})
         ON CONFLICT DO NOTHING`,
      );
      this.#inserts.set(name, insert);
    }
    return insert;
  }
}

/** In the order of `RESULT_COLUMNS`, but for the last. */
function resultRow(source: number, build: number, receivedAt: number, record: ResultRecord): unknown[] {
  const { seq, at, body } = record;
  const { top, failure } = body;
  return [
    source,
    seq,
    at,
    receivedAt,
    body.id,
    build,
    body.latencyUs,
    body.ok ? 1 : 0,
    top?.index ?? null,
    top?.score ?? null,
    top?.label ?? null,
    failure?.code ?? null,
    failure?.message ?? null,
  ];
}

const gapRow = (
  device: string,
  outbox: string,
  receivedAt: number,
  { seq, at, body }: GapRecord,
): unknown[] => [device, outbox, seq, body.kind, body.records, body.fromSeq, body.toSeq, at, receivedAt];
