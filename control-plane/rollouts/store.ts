import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import { parseJson } from "@muster/shared/protocol/validate";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutDeviceStatus, RolloutDevicesTable, RolloutsTable } from "../storage/tables/rollouts.ts";
import type { ControlTransaction } from "../storage/transaction.ts";
import type { Decision, RolloutEvent } from "./decide.ts";
import type { GateView } from "./gate.ts";
import type { DeviceRecord, Rollout, RolloutProgress } from "./model.ts";
import type { RolloutPlan } from "./plan.ts";

const parsed = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T));
const text = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

export const releaseOf = (row: Pick<RolloutsTable, "release">): ReleaseRef =>
  JSON.parse(row.release) as ReleaseRef;
export const planOf = (row: Pick<RolloutsTable, "plan">): RolloutPlan => JSON.parse(row.plan) as RolloutPlan;

const recordOf = (row: RolloutDevicesTable & { name: string }): DeviceRecord => ({
  device: row.device,
  name: row.name,
  site: row.site,
  hardwareClass: row.hardware_class,
  wave: row.wave,
  status: row.status,
  previous: parsed<ReleaseRef>(row.previous),
  toldGeneration: row.told_generation,
  toldAt: row.told_at,
  reachedAt: row.reached_at,
  returnGeneration: row.return_generation,
  returnedAt: row.returned_at,
  outcome: row.outcome,
  failure: parsed<Failure>(row.failure),
});

/** A rollout as the engine takes it: whole, or with the devices of some statuses only. */
export async function loadRollout(
  db: Kysely<ControlTables>,
  row: RolloutsTable,
  statuses?: readonly RolloutDeviceStatus[],
): Promise<Rollout> {
  const release = releaseOf(row);
  const { manifest } = await db
    .selectFrom("releases")
    .select("manifest")
    .where("digest", "=", release.digest)
    .executeTakeFirstOrThrow();
  const devices = await db
    .selectFrom("rollout_devices")
    .innerJoin("devices", "devices.id", "rollout_devices.device")
    .selectAll("rollout_devices")
    .select("devices.name")
    .where("rollout", "=", row.id)
    .$if(statuses !== undefined, (query) => query.where("rollout_devices.status", "in", statuses ?? []))
    .orderBy("position")
    .execute();
  return {
    id: row.id,
    state: row.state,
    reason: row.reason,
    wave: row.wave,
    waveOpenedAt: row.wave_opened_at,
    gateHeldSince: row.gate_held_since,
    waveAccepted: row.wave_accepted === 1,
    gate: parsed<GateView>(row.gate),
    endedAt: row.ended_at,
    release,
    manifest: parseJson(ReleaseManifest, manifest, "storage.broken"),
    plan: planOf(row),
    devices: devices.map(recordOf),
  };
}

export async function saveProgress(
  tx: ControlTransaction,
  id: string,
  progress: RolloutProgress,
): Promise<void> {
  await tx
    .updateTable("rollouts")
    .set({
      state: progress.state,
      reason: progress.reason,
      wave: progress.wave,
      wave_opened_at: progress.waveOpenedAt,
      gate_held_since: progress.gateHeldSince,
      wave_accepted: progress.waveAccepted ? 1 : 0,
      gate: text(progress.gate),
      ended_at: progress.endedAt,
    })
    .where("id", "=", id)
    .execute();
}

export async function saveRecord(
  tx: ControlTransaction,
  rollout: string,
  record: DeviceRecord,
): Promise<void> {
  await tx
    .updateTable("rollout_devices")
    .set({
      status: record.status,
      previous: text(record.previous),
      told_generation: record.toldGeneration,
      told_at: record.toldAt,
      reached_at: record.reachedAt,
      return_generation: record.returnGeneration,
      returned_at: record.returnedAt,
      outcome: record.outcome,
      failure: text(record.failure),
    })
    .where("rollout", "=", rollout)
    .where("device", "=", record.device)
    .execute();
}

export async function addEvents(
  tx: ControlTransaction,
  rollout: string,
  events: readonly RolloutEvent[],
  at: number,
): Promise<void> {
  if (events.length === 0) return;
  const last = await tx
    .selectFrom("rollout_events")
    .select(({ fn }) => fn.max("seq").as("seq"))
    .where("rollout", "=", rollout)
    .executeTakeFirst();
  let seq = Number(last?.seq ?? 0);
  for (const { kind, sentence, numbers } of events) {
    seq += 1;
    await tx
      .insertInto("rollout_events")
      .values({ rollout, seq, at, kind, sentence, numbers: JSON.stringify(numbers) })
      .execute();
  }
}

/** Keeps the first reason where a release was put in quarantine before. */
export async function addQuarantine(
  tx: ControlTransaction,
  rollout: Rollout,
  { quarantine, progress }: Decision,
  at: number,
): Promise<void> {
  for (const hardwareClass of quarantine)
    await tx
      .insertInto("quarantines")
      .values({
        release: rollout.release.digest,
        hardware_class: hardwareClass,
        rollout: rollout.id,
        reason: progress.reason ?? "",
        at,
      })
      .onConflict((conflict) => conflict.columns(["release", "hardware_class"]).doNothing())
      .execute();
}
