import { MusterError } from "@muster/shared/errors";
import type { Failure, ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Kysely } from "kysely";
import type { Directory } from "../fleet/directory.ts";
import { Reach } from "../people/reach.ts";
import type { Stores } from "../storage/database.ts";
import { siteIsWithin } from "../storage/site-filter.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutDevicesTable, RolloutsTable } from "../storage/tables/rollouts.ts";
import { approvalsOf } from "./approvals.ts";
import { seenIn, situationOf } from "./counts.ts";
import { type Counted, readCounts } from "./device-counts.ts";
import type { GateView } from "./gate/views.ts";
import type { Actor } from "./model.ts";
import type { Prospect } from "./outlook.ts";
import { namesDevices, seenBy } from "./sight.ts";
import { parsed, planOf, releaseOf } from "./store.ts";
import type {
  DeviceRolloutView,
  HeldCounts,
  RolloutDevicePage,
  RolloutDeviceView,
  RolloutEventView,
  RolloutPage,
  RolloutSummary,
  RolloutView,
  WaveView,
} from "./views.ts";

export interface PageQuery {
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
}

const ROLLOUTS_PAGE = 50;
const DEVICES_PAGE = 1_000;
const EVENTS_PAGE = 1_000;
/** Rollouts that are told of one device. */
const ROLLOUTS_OF_DEVICE = 20;

function summaryOf(row: RolloutsTable, { waves, all }: Counted): RolloutSummary {
  const plan = planOf(row);
  return {
    id: row.id,
    state: row.state,
    release: releaseOf(row),
    selector: plan.selector,
    priority: plan.priority,
    reason: row.reason,
    wave: row.wave === null ? null : row.wave + 1,
    waves: waves.length,
    counts: all,
    createdBy: JSON.parse(row.created_by) as Actor,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
  };
}

/** A page of rollouts, newest first. @throws MusterError `request.invalid` for a cursor that is none */
export async function readPage(
  db: Kysely<ControlTables>,
  directory: Directory,
  { limit = ROLLOUTS_PAGE, cursor }: PageQuery,
  reach: Reach = Reach.everywhere,
): Promise<RolloutPage> {
  const [, at, id] = cursor === undefined ? [] : (/^(\d{1,15})\.(\w{1,64})$/.exec(cursor) ?? refuse(cursor));
  const seen = await seenBy(db, directory, reach);
  const rows = await db
    .selectFrom("rollouts")
    .selectAll()
    .$if(seen !== undefined, (query) => query.where(seen!))
    .$if(cursor !== undefined, (query) =>
      query.where((where) =>
        where.or([
          where("created_at", "<", Number(at)),
          where.and([where("created_at", "=", Number(at)), where("id", "<", id ?? "")]),
        ]),
      ),
    )
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .limit(limit + 1)
    .execute();
  const page = rows.slice(0, limit);
  const counts = await readCounts(db, page, directory);
  const last = page.at(-1);
  return {
    rollouts: page.map((row) => summaryOf(row, counts(row.id))),
    next: rows.length > limit && last ? `${last.created_at}.${last.id}` : null,
  };
}

function refuse(cursor: string): never {
  throw new MusterError("request.invalid", `${cursor} is no cursor: take \`next\` of the page before.`);
}

export async function readView(
  { control, controlRaw }: Pick<Stores, "control" | "controlRaw">,
  row: RolloutsTable,
  directory: Directory,
  { gate, held }: Prospect,
  reach: Reach = Reach.everywhere,
): Promise<RolloutView> {
  const counted = (await readCounts(control, [row], directory))(row.id);
  return {
    ...summaryOf(row, counted),
    plan: planOf(row),
    submittedBy: parsed<Actor>(row.submitted_by),
    approvals: { needed: row.approvals_needed, given: approvalsOf(controlRaw, row.id) },
    waveList: counted.waves.map((counts, wave) => ({
      number: wave + 1,
      state: waveState(row, wave),
      counts,
    })),
    held: countHeld(held),
    gate: gate ?? parsed<GateView>(row.gate),
    failures: await readFailures(control, row.id, reach),
  };
}

function waveState({ wave: open, state }: RolloutsTable, wave: number): WaveView["state"] {
  const goesOn = state === "running" || state === "paused" || state === "completed";
  if (wave > (open ?? -1)) return goesOn || open === null ? "waiting" : "stopped";
  if (wave < (open ?? 0) || state === "completed") return "passed";
  return state === "running" || state === "paused" ? "open" : "stopped";
}

function countHeld(held: Prospect["held"]): HeldCounts {
  const counts: HeldCounts = {};
  for (const reason of held.values()) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

async function readFailures(
  db: Kysely<ControlTables>,
  rollout: string,
  reach: Reach,
): Promise<RolloutView["failures"]> {
  const rows = await db
    .selectFrom("rollout_devices")
    .leftJoin("devices", "devices.id", "rollout_devices.device")
    .select(["failure", "devices.name", "rollout_devices.site", "rollout_devices.device"])
    .where("rollout", "=", rollout)
    .where("failure", "is not", null)
    .orderBy("position")
    .execute();
  const byCode = new Map<string, { devices: number; example: string }>();
  for (const { failure, name, site, device } of rows) {
    if (!reach.covers(site)) continue;
    const { code, message } = JSON.parse(failure ?? "{}") as Failure;
    const seen = byCode.get(code);
    if (seen) seen.devices += 1;
    else byCode.set(code, { devices: 1, example: `${name ?? device} at ${site}: ${message}` });
  }
  return [...byCode]
    .map(([code, { devices, example }]) => ({ code, devices, example }))
    .sort((a, b) => b.devices - a.devices);
}

/** A page of devices in their order. @throws MusterError `request.invalid` for a cursor that is none */
export async function readDevices(
  db: Kysely<ControlTables>,
  rollout: RolloutsTable,
  directory: Directory,
  prospect: Prospect,
  { limit = DEVICES_PAGE, cursor }: PageQuery,
  reach: Reach = Reach.everywhere,
): Promise<RolloutDevicePage> {
  if (cursor !== undefined && !/^\d{1,9}$/.test(cursor)) refuse(cursor);
  const rows = await db
    .selectFrom("rollout_devices")
    .leftJoin("devices", "devices.id", "rollout_devices.device")
    .selectAll("rollout_devices")
    .select("devices.name")
    .where("rollout", "=", rollout.id)
    .$if(!reach.isEverywhere, (query) => query.where(siteIsWithin("rollout_devices.site", reach.sites)))
    .$if(cursor !== undefined, (query) => query.where("position", ">", Number(cursor)))
    .orderBy("position")
    .limit(limit + 1)
    .execute();
  const page = rows.slice(0, limit);
  const devices = page.map((row) => partOf(row, rollout, directory, prospect));
  return { devices, next: rows.length > limit ? String(page.at(-1)?.position) : null };
}

/** Where a device stands in its rollout. */
function partOf(
  row: RolloutDevicesTable & { name: string | null },
  { wave, ended_at }: Pick<RolloutsTable, "wave" | "ended_at">,
  directory: Directory,
  { held }: Prospect,
): RolloutDeviceView {
  return {
    device: row.device,
    name: row.name ?? row.device,
    site: row.site,
    hardwareClass: row.hardware_class,
    wave: row.wave + 1,
    status: row.status,
    situation: situationOf(row, { open: wave, ended: ended_at !== null }, seenIn(directory, row.device)),
    held: held.get(row.device) ?? null,
    withheldBecause: directory.withheldBecause(row.device) ?? null,
    previous: parsed<ReleaseRef>(row.previous),
    attempts: row.attempts,
    phase: row.phase,
    notBefore: row.not_before,
    outcome: row.outcome,
    failure: parsed<Failure>(row.failure),
    toldAt: row.told_at,
  };
}

/** The started rollouts that have a device, newest first, 20 at most. */
export async function readRolloutsOf(
  db: Kysely<ControlTables>,
  device: string,
  directory: Directory,
  prospectOf: (rollout: string) => Prospect,
): Promise<DeviceRolloutView[]> {
  const newest = await db
    .selectFrom("rollouts")
    .selectAll()
    .where("id", "in", db.selectFrom("rollout_devices").select("rollout").where("device", "=", device))
    .orderBy("created_at", "desc")
    .limit(ROLLOUTS_OF_DEVICE)
    .execute();
  const rows = await db
    .selectFrom("rollout_devices")
    .leftJoin("devices", "devices.id", "rollout_devices.device")
    .selectAll("rollout_devices")
    .select("devices.name")
    .where("rollout_devices.device", "=", device)
    .execute();
  return newest.flatMap((rollout) => {
    const row = rows.find((each) => each.rollout === rollout.id);
    if (!row) return [];
    return [
      {
        ...partOf(row, rollout, directory, prospectOf(rollout.id)),
        rollout: rollout.id,
        release: releaseOf(rollout),
        state: rollout.state,
        openWave: rollout.wave === null ? null : rollout.wave + 1,
        priority: planOf(rollout).priority,
      },
    ];
  });
}

export async function readEvents(
  db: Kysely<ControlTables>,
  rollout: string,
  afterSeq: number,
  all: boolean,
): Promise<RolloutEventView[]> {
  const rows = await db
    .selectFrom("rollout_events")
    .selectAll()
    .where("rollout", "=", rollout)
    .where("seq", ">", afterSeq)
    .orderBy("seq")
    .limit(EVENTS_PAGE)
    .execute();
  const told = all ? rows : rows.filter(({ kind }) => !namesDevices(kind));
  return told.map(({ seq, at, kind, sentence, numbers }) => ({
    seq,
    at,
    kind,
    sentence,
    numbers: JSON.parse(numbers) as Record<string, number>,
  }));
}
