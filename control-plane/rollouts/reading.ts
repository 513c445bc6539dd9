import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { countDevices, noDevices, situationOf } from "./counts.ts";
import { gateOf } from "./decide.ts";
import { readFacts } from "./facts.ts";
import type { DeviceRecord, Rollout } from "./model.ts";
import type { LivenessPort } from "./ports.ts";
import { loadRollout, planOf, releaseOf } from "./store.ts";
import type {
  DeviceCounts,
  RolloutDeviceView,
  RolloutEventView,
  RolloutSummary,
  RolloutView,
  WaveView,
} from "./views.ts";

function summaryOf(row: RolloutsTable, waves: number, counts: DeviceCounts): RolloutSummary {
  return {
    id: row.id,
    state: row.state,
    release: releaseOf(row),
    selector: planOf(row).selector,
    reason: row.reason,
    wave: row.wave === null ? null : row.wave + 1,
    waves,
    counts,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

/** Every rollout, newest first, counted by the database where it can count. */
export async function readSummaries(
  db: Kysely<ControlTables>,
  liveness: LivenessPort,
): Promise<RolloutSummary[]> {
  const rows = await db.selectFrom("rollouts").selectAll().orderBy("created_at", "desc").execute();
  const groups = await db
    .selectFrom("rollout_devices")
    .select(({ fn }) => ["rollout", "status", fn.countAll<number>().as("devices"), fn.max("wave").as("last")])
    .groupBy(["rollout", "status"])
    .execute();
  const told = await db
    .selectFrom("rollout_devices")
    .select(["rollout", "device", "status", "reached_at"])
    .where("status", "=", "told")
    .execute();
  return rows.map((row) => {
    const counts = noDevices();
    let last = -1;
    for (const group of groups.filter(({ rollout }) => rollout === row.id)) {
      counts.total += Number(group.devices);
      last = Math.max(last, Number(group.last));
      if (group.status !== "told")
        counts[situationOf({ status: group.status, reachedAt: null }, false)] += Number(group.devices);
    }
    for (const { device, status, reached_at } of told.filter(({ rollout }) => rollout === row.id))
      counts[situationOf({ status, reachedAt: reached_at }, liveness.livenessOf(device) !== "offline")] += 1;
    return summaryOf(row, last + 1, counts);
  });
}

export async function readView(
  db: Kysely<ControlTables>,
  row: RolloutsTable,
  liveness: LivenessPort,
  now: number,
): Promise<RolloutView> {
  const rollout = await loadRollout(db, row);
  const factsOf = await readFacts(db, row.id, liveness);
  const count = rollout.devices.reduce((highest, { wave }) => Math.max(highest, wave + 1), 0);
  return {
    ...summaryOf(row, count, countDevices(rollout.devices, factsOf)),
    plan: rollout.plan,
    waveList: Array.from({ length: count }, (_, wave) => ({
      number: wave + 1,
      state: waveState(rollout, wave),
      counts: countDevices(
        rollout.devices.filter((record) => record.wave === wave),
        factsOf,
      ),
    })),
    gate: gateOf(rollout, factsOf, now),
    failures: failuresOf(rollout.devices),
  };
}

function waveState({ wave: open, state }: Rollout, wave: number): WaveView["state"] {
  if (open === null || wave > open) return "waiting";
  if (wave < open || state === "completed") return "passed";
  return state === "running" || state === "paused" ? "open" : "stopped";
}

function failuresOf(records: readonly DeviceRecord[]): RolloutView["failures"] {
  const byCode = new Map<string, { devices: number; example: string }>();
  for (const { failure, name, site } of records) {
    if (!failure) continue;
    const seen = byCode.get(failure.code);
    if (seen) seen.devices += 1;
    else byCode.set(failure.code, { devices: 1, example: `${name} at ${site}: ${failure.message}` });
  }
  return [...byCode]
    .map(([code, { devices, example }]) => ({ code, devices, example }))
    .sort((a, b) => b.devices - a.devices);
}

export async function readDevices(
  db: Kysely<ControlTables>,
  rollout: string,
  liveness: LivenessPort,
): Promise<RolloutDeviceView[]> {
  const rows = await db
    .selectFrom("rollout_devices")
    .innerJoin("devices", "devices.id", "rollout_devices.device")
    .selectAll("rollout_devices")
    .select("devices.name")
    .where("rollout", "=", rollout)
    .orderBy("position")
    .execute();
  return rows.map((row) => ({
    device: row.device,
    name: row.name,
    site: row.site,
    hardwareClass: row.hardware_class,
    wave: row.wave + 1,
    status: row.status,
    situation: situationOf(
      { status: row.status, reachedAt: row.reached_at },
      liveness.livenessOf(row.device) !== "offline",
    ),
    previous: row.previous === null ? null : (JSON.parse(row.previous) as ReleaseRef),
    outcome: row.outcome,
    failure: row.failure === null ? null : (JSON.parse(row.failure) as Failure),
    toldAt: row.told_at,
  }));
}

const EVENTS_PAGE = 1000;

export async function readEvents(
  db: Kysely<ControlTables>,
  rollout: string,
  afterSeq: number,
): Promise<RolloutEventView[]> {
  const rows = await db
    .selectFrom("rollout_events")
    .selectAll()
    .where("rollout", "=", rollout)
    .where("seq", ">", afterSeq)
    .orderBy("seq")
    .limit(EVENTS_PAGE)
    .execute();
  return rows.map(({ seq, at, kind, sentence, numbers }) => ({
    seq,
    at,
    kind,
    sentence,
    numbers: JSON.parse(numbers) as Record<string, number>,
  }));
}
