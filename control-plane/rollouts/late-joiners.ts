import type { Database } from "better-sqlite3";
import type { Directory } from "../fleet/directory.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import type { RolloutEvent } from "./decide/types.ts";
import type { LoadedRollout } from "./loaded.ts";
import { memberWriter } from "./members.ts";
import { quarantinedClasses } from "./past.ts";
import { selectTargets } from "./selection.ts";
import { approvalsAsked } from "./site-approvals.ts";
import { noteMembers } from "./store.ts";
import { counted, fitting } from "./words.ts";

const INTERVAL_MS = 30_000;
/** Taken in at once; the others follow the next time. */
const MOST_AT_ONCE = 500;

/**
 * The wave, counted from 0, in which late joiners are told: behind all others, so that every gate of the plan is
 * met before. Those that come before it opens share it.
 */
function waveOfJoiners(open: number | null, highest: number, plannedWaves: number): number {
  return highest >= plannedWaves && highest > (open ?? -1) ? highest : highest + 1;
}

/**
 * Takes in devices that began to match the selector since the start, as the plan says: into a wave behind the
 * last one, or held until an operator decides; those at a site that asks for more approvals than the rollout has are left
 * alone. Looks every 30 s, and only where the fleet has changed. Call it inside a
 * transaction of `db`; undefined where nobody joined.
 */
export function takeInLateJoiners(
  db: Database,
  loaded: LoadedRollout,
  directory: Directory,
  now: number,
): RolloutEvent | undefined {
  const { id, state, plan, release, manifest, devices, plannedWaves } = loaded.rollout;
  if (plan.lateJoiners === "exclude" || (state !== "running" && state !== "paused")) return undefined;
  if (directory.revision === loaded.joinersRevision || Math.abs(now - loaded.joinersAt) < INTERVAL_MS)
    return undefined;
  loaded.joinersAt = now;
  const quarantined = quarantinedClasses(db, release.digest);
  const strangers = {
    requireGroups: () => {},
    *inOrder() {
      for (const device of directory.inOrder()) if (loaded.placeOf(device.id) === undefined) yield device;
    },
  };
  const { targets } = selectTargets(strangers, { ref: release, manifest, quarantined }, plan, new Map());
  const approved = db
    .prepare<[string], number>("SELECT approvals_needed FROM rollouts WHERE id = ?")
    .pluck()
    .get(id);
  const asked = approvalsAsked(db);
  const welcome = targets.filter(({ site }) => asked(new Set([site])) <= (approved ?? 0));
  const joiners = welcome.slice(0, MOST_AT_ONCE);
  if (joiners.length === welcome.length) loaded.joinersRevision = directory.revision;
  if (joiners.length === 0) return undefined;

  const highest = devices.reduce((most, record) => Math.max(most, record.wave), 0);
  const add = memberWriter(db, id, manifest);
  let position = devices.length;
  const held = plan.lateJoiners === "hold";
  const wave = held ? plannedWaves - 1 : waveOfJoiners(loaded.rollout.wave, highest, plannedWaves);
  for (const device of joiners) {
    add({ device, wave, position, status: held ? "held" : "waiting" });
    position += 1;
  }
  const count = joiners.length;
  const verb = fitting(count, "matches", "match");
  return {
    kind: held ? "late-joiners-held" : "late-joiners",
    sentence: `${counted(count, "device")} ${verb} since the start: ${held ? "held until an operator admits them" : `part of wave ${wave + 1}`}.`,
    numbers: { devices: count, wave: wave + 1 },
  };
}

/**
 * Lets the late joiners that are held take part: behind all others, or, once the rollout has completed, as
 * stragglers. Call it inside a transaction of `db`.
 * @returns how many
 */
export function admitHeld(db: Database, row: RolloutsTable): number {
  const highest = db
    .prepare<[string], number>("SELECT max(wave) FROM rollout_devices WHERE rollout = ?")
    .pluck()
    .get(row.id);
  const over = row.state === "completed" ? row.wave : null;
  const wave = over ?? waveOfJoiners(row.wave, highest ?? 0, row.planned_waves ?? 1);
  const { changes } = db
    .prepare("UPDATE rollout_devices SET status = 'waiting', wave = ? WHERE rollout = ? AND status = 'held'")
    .run(wave, row.id);
  if (changes > 0) noteMembers(db, row.id);
  return changes;
}
