import { isMusterError } from "@muster/shared/errors";
import { hardwareClassOf } from "@muster/shared/protocol/hardware";
import type { OutboxRecord } from "@muster/shared/protocol/messages";
import { UPDATE_PHASES } from "@muster/shared/protocol/state";
import type { Database, Statement } from "better-sqlite3";
import { ShadowWriter } from "../shadow/writer.ts";
import type { FreshBatch, Note, PendingState } from "./entries.ts";

const json = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value);

type ShadowRecord = Extract<OutboxRecord, { kind: "shadow" }>;
type UpdateRecord = Extract<OutboxRecord, { kind: "update" }>;

/** Position of a phase in the journal, as an SQL expression over `column`. */
const rankOf = (column: string): string =>
  `CASE ${column} ${UPDATE_PHASES.map((phase, rank) => `WHEN '${phase}' THEN ${rank}`).join(" ")} END`;

/**
 * Writes what decides about rollouts to control.db: reported states, updates, events. Each statement may be
 * repeated without another result, since a batch is acknowledged only after telemetry.db has it too.
 */
export class ControlWriter {
  readonly #isWithheld: (device: string) => boolean;
  readonly #state: Statement;
  readonly #birth: Statement;
  readonly #update: Statement;
  readonly #event: Statement;
  readonly #shadow: ShadowWriter;

  /** @param isWithheld true for a device that does not pass attestation now: its events are marked */
  constructor(db: Database, isWithheld: (device: string) => boolean) {
    this.#isWithheld = isWithheld;
    this.#state = db.prepare(
      `UPDATE devices SET reported = @reported, reported_session = @session, reported_seq = @seq,
         reported_at = @receivedAt, running_digest = @running
       WHERE id = @device AND (reported_session IS DISTINCT FROM @session OR reported_seq < @seq)`,
    );
    this.#birth = db.prepare(
      "UPDATE devices SET hardware = ?, hardware_class = ?, agent_version = ? WHERE id = ?",
    );
    // An attempt that has an outcome is over: what comes later about it repeats or reorders the past. A device
    // has no more attempts than directives were issued for it: it cannot fill the table that rollouts read.
    this.#update = db.prepare(
      `INSERT INTO device_updates (device, generation, rollout, release, phase, outcome, failure, started_at, at)
       SELECT id, @generation, @rollout, @release, @phase, @outcome, @failure, @at, @at
       FROM devices WHERE id = @device AND generation >= @generation
       ON CONFLICT (device, generation) DO UPDATE SET
         rollout = excluded.rollout, release = excluded.release, phase = excluded.phase,
         outcome = excluded.outcome, failure = excluded.failure, at = excluded.at
       WHERE device_updates.outcome IS NULL
         AND (excluded.outcome IS NOT NULL OR ${rankOf("excluded.phase")} >= ${rankOf("device_updates.phase")})`,
    );
    this.#event = db.prepare(
      `INSERT INTO device_events (id, device, source, code, message, at, received_at, withheld)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
    );
    this.#shadow = new ShadowWriter(db);
  }

  /** Call it inside a transaction. */
  write(
    states: Iterable<PendingState>,
    batches: Iterable<FreshBatch>,
    notes: Iterable<Note & { id: string }>,
  ): void {
    const withheld = (device: string): 0 | 1 => (this.#isWithheld(device) ? 1 : 0);
    for (const state of states) this.#writeState(state);
    for (const { device, outbox, receivedAt, records } of batches)
      for (const record of records) {
        if (record.kind === "update") this.#writeUpdate(device, record);
        else if (record.kind === "shadow") this.#writeShadow(device, outbox, record, receivedAt);
        else if (record.kind === "event") {
          const { code, message } = record.body;
          const id = `${device}/${outbox}/${record.seq}`;
          this.#event.run(id, device, "device", code, message, record.at, receivedAt, withheld(device));
        }
      }
    for (const { id, device, code, message, receivedAt } of notes)
      this.#event.run(id, device, "control-plane", code, message, receivedAt, receivedAt, 0);
  }

  #writeState({ device, session, seq, receivedAt, state, birth }: PendingState): void {
    this.#state.run({
      device,
      session,
      seq,
      receivedAt,
      reported: JSON.stringify(state),
      running: state.running?.digest ?? null,
    });
    if (!birth) return;
    const { hardware, agentVersion } = birth;
    this.#birth.run(JSON.stringify(hardware), hardwareClassOf(hardware), agentVersion, device);
  }

  /** A report that proves nothing is no reason to refuse the batch: the next ones would wait behind it for ever. */
  #writeShadow(device: string, outbox: string, { at, body, seq }: ShadowRecord, receivedAt: number): void {
    try {
      this.#shadow.write(device, body, receivedAt);
    } catch (error) {
      if (!isMusterError(error, "shadow.report-invalid")) throw error;
      const { code, message } = error;
      this.#event.run(
        `${device}/${outbox}/${seq}`,
        device,
        "control-plane",
        code,
        message,
        at,
        receivedAt,
        0,
      );
    }
  }

  #writeUpdate(device: string, { at, body }: UpdateRecord): void {
    this.#update.run({
      device,
      at,
      generation: body.generation,
      rollout: body.rollout,
      release: json(body.release),
      phase: body.phase,
      outcome: body.outcome ?? null,
      failure: json(body.failure),
    });
  }
}

/** Whether a batch has anything for control.db: most have only results, and each commit there waits for the disk. */
export const concernsControl = (batch: FreshBatch): boolean =>
  batch.records.some(({ kind }) => kind === "update" || kind === "event" || kind === "shadow");
