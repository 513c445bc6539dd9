import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import type { UpdatePhase } from "@muster/shared/protocol/state";
import { parseJson } from "@muster/shared/protocol/validate";
import type { Database } from "better-sqlite3";
import type { RolloutDevicesTable, RolloutsTable } from "../storage/tables/rollouts.ts";
import type { PaceState } from "./admission/pace.ts";
import type { GateView } from "./gate/views.ts";
import type { Wagers } from "./gate/wagers.ts";
import { type DeviceRecord, OPEN_STATUSES, type Rollout, type RolloutProgress } from "./model.ts";
import type { RolloutPlan } from "./plan.ts";

export const parsed = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T));
const text = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value);

export const releaseOf = (row: Pick<RolloutsTable, "release">): ReleaseRef =>
  JSON.parse(row.release) as ReleaseRef;
export const planOf = (row: Pick<RolloutsTable, "plan">): RolloutPlan => JSON.parse(row.plan) as RolloutPlan;

export const progressOfRow = (row: RolloutsTable): RolloutProgress => ({
  state: row.state,
  reason: row.reason,
  wave: row.wave,
  waveOpenedAt: row.wave_opened_at,
  waveClockAt: row.wave_clock_at,
  gateHeldSince: row.gate_held_since,
  skipWave: row.skip_wave,
  gate: parsed<GateView>(row.gate),
  pace: parsed<PaceState>(row.pace),
  wagers: parsed<Wagers>(row.wagers),
  endedAt: row.ended_at,
});

const recordOf = (row: RolloutDevicesTable & { name: string }): DeviceRecord => ({
  device: row.device,
  name: row.name,
  site: row.site,
  hardwareClass: row.hardware_class,
  wave: row.wave,
  status: row.status,
  bytes: row.bytes,
  previous: parsed<ReleaseRef>(row.previous),
  attempts: row.attempts,
  toldGeneration: row.told_generation,
  toldAt: row.told_at,
  phase: row.phase as UpdatePhase | null,
  phaseAt: row.phase_at,
  notBefore: row.not_before,
  returnGeneration: row.return_generation,
  returnedAt: row.returned_at,
  outcome: row.outcome,
  failure: parsed<Failure>(row.failure),
});

/** Columns of a row that a decision may change, with their values. */
const rowOfProgress = (progress: RolloutProgress) => ({
  state: progress.state,
  reason: progress.reason,
  wave: progress.wave,
  wave_opened_at: progress.waveOpenedAt,
  wave_clock_at: progress.waveClockAt,
  gate_held_since: progress.gateHeldSince,
  skip_wave: progress.skipWave,
  gate: text(progress.gate),
  pace: text(progress.pace),
  wagers: text(progress.wagers),
  ended_at: progress.endedAt,
});

/** A rollout as the engine takes it, without its devices. */
export function readRollout(db: Database, row: RolloutsTable): Rollout {
  const release = releaseOf(row);
  const manifest = db
    .prepare<[string], string>("SELECT manifest FROM releases WHERE digest = ?")
    .pluck()
    .get(release.digest);
  return {
    ...progressOfRow(row),
    id: row.id,
    seed: row.seed,
    release,
    manifest: parseJson(ReleaseManifest, manifest ?? "", "storage.broken"),
    plan: planOf(row),
    startedAt: row.started_at,
    plannedWaves: row.planned_waves ?? 1,
    devices: [],
  };
}

/**
 * Devices of a rollout in their order, from behind a position on; of one that was aborted or reverted only those
 * that are still open. `last` is the position of the last one, undefined where none follows.
 */
export function readRecords(
  db: Database,
  { id, state }: Pick<RolloutsTable, "id" | "state">,
  after: number,
  limit: number,
): { records: DeviceRecord[]; last: number | undefined } {
  const some = state === "aborted" || state === "reverted";
  const only = some ? `AND r.status IN (${OPEN_STATUSES.map((status) => `'${status}'`).join()})` : "";
  const rows = db
    .prepare<[string, number, number], RolloutDevicesTable & { name: string }>(
      `SELECT r.*, coalesce(d.name, r.device) AS name FROM rollout_devices r
         LEFT JOIN devices d ON d.id = r.device
       WHERE r.rollout = ? AND r.position > ? ${only} ORDER BY r.position LIMIT ?`,
    )
    .all(id, after, limit);
  return { records: rows.map(recordOf), last: rows.length < limit ? undefined : rows.at(-1)?.position };
}

/** Notes that rows of devices of a rollout changed. Call it inside a transaction. */
export const noteMembers = (db: Database, rollout: string): void =>
  void db.prepare("UPDATE rollouts SET members_revision = members_revision + 1 WHERE id = ?").run(rollout);

/** The statements that store a decision. Run them inside a transaction of `db`. */
export function rolloutWriter(db: Database) {
  const progress = db.prepare(
    `UPDATE rollouts SET revision = revision + 1, state = @state, reason = @reason, wave = @wave,
       wave_opened_at = @wave_opened_at, wave_clock_at = @wave_clock_at, gate_held_since = @gate_held_since, skip_wave = @skip_wave,
       gate = @gate, pace = @pace, wagers = @wagers, ended_at = @ended_at WHERE id = @id`,
  );
  const record = db.prepare(
    `UPDATE rollout_devices SET status = @status, previous = @previous, attempts = @attempts,
       told_generation = @toldGeneration, told_at = @toldAt, phase = @phase, phase_at = @phaseAt,
       not_before = @notBefore, return_generation = @returnGeneration, returned_at = @returnedAt,
       outcome = @outcome, failure = @failure WHERE rollout = @rollout AND device = @device`,
  );
  const lastEvent = db
    .prepare<[string], number>("SELECT coalesce(max(seq), 0) FROM rollout_events WHERE rollout = ?")
    .pluck();
  const event = db.prepare(
    "INSERT INTO rollout_events (rollout, seq, at, kind, sentence, numbers) VALUES (?, ?, ?, ?, ?, ?)",
  );
  // The first reason stays where a release was put in quarantine before.
  const quarantine = db.prepare(
    `INSERT INTO quarantines (release, hardware_class, rollout, reason, at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (release, hardware_class) DO NOTHING`,
  );
  return {
    progress: (id: string, value: RolloutProgress) => void progress.run({ ...rowOfProgress(value), id }),
    record: (rollout: string, value: DeviceRecord) =>
      void record.run({
        rollout,
        device: value.device,
        status: value.status,
        previous: text(value.previous),
        attempts: value.attempts,
        toldGeneration: value.toldGeneration,
        toldAt: value.toldAt,
        phase: value.phase,
        phaseAt: value.phaseAt,
        notBefore: value.notBefore,
        returnGeneration: value.returnGeneration,
        returnedAt: value.returnedAt,
        outcome: value.outcome,
        failure: text(value.failure),
      }),
    events: (
      rollout: string,
      events: readonly { kind: string; sentence: string; numbers: Record<string, number> }[],
      at: number,
    ) => {
      let seq = events.length === 0 ? 0 : (lastEvent.get(rollout) as number);
      for (const { kind, sentence, numbers } of events) {
        seq += 1;
        event.run(rollout, seq, at, kind, sentence, JSON.stringify(numbers));
      }
    },
    quarantine: (rollout: Rollout, classes: readonly string[], reason: string, at: number) => {
      for (const name of classes) quarantine.run(rollout.release.digest, name, rollout.id, reason, at);
    },
  };
}
export type RolloutWriter = ReturnType<typeof rolloutWriter>;

/**
 * Stops the clocks of devices, waves and soaks for a time in which no control plane listened; less than 0 puts them
 * back with the clock of the control plane. What devices measured in times that are still to come counts no more.
 */
export function stopClocks(db: Database, lapsedMs: number, now: number): void {
  const open = "('running', 'paused', 'aborting', 'reverting', 'completed')";
  db.prepare(
    `UPDATE rollout_devices SET told_at = min(told_at + @by, @now), phase_at = min(phase_at + @by, @now),
       returned_at = min(returned_at + @by, @now), not_before = not_before + min(@by, 0)
     WHERE status IN ('told', 'returning', 'retrying') AND rollout IN (SELECT id FROM rollouts WHERE state IN ${open})`,
  ).run({ by: lapsedMs, now });
  db.prepare(
    `UPDATE rollouts SET revision = revision + 1, members_revision = members_revision + 1, wave_clock_at = min(wave_clock_at + @by, @now),
       gate_held_since = min(gate_held_since + @by, @now), wave_opened_at = min(wave_opened_at, @now),
       started_at = min(started_at, @now)
     WHERE state IN ${open}`,
  ).run({ by: lapsedMs, now });
}
