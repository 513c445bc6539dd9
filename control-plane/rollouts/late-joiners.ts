import type { Database } from "better-sqlite3";
import type { Directory } from "../fleet/directory.ts";
import type { RolloutEvent } from "./decide/types.ts";
import type { LoadedRollout } from "./loaded.ts";
import { memberWriter } from "./members.ts";
import { selectTargets } from "./selection.ts";
import { counted, fitting } from "./words.ts";

const INTERVAL_MS = 30_000;
/** Taken in at once; the others follow the next time. */
const MOST_AT_ONCE = 500;

/**
 * Takes in devices that began to match the selector since the start, as the plan says: into the last wave, or
 * held until an operator decides. Looks every 30 s, and only where the fleet has changed. Call it inside a
 * transaction of `db`; undefined where nobody joined.
 */
export function takeInLateJoiners(
  db: Database,
  loaded: LoadedRollout,
  directory: Directory,
  now: number,
): RolloutEvent | undefined {
  const { id, state, plan, release, manifest, devices } = loaded.rollout;
  if (plan.lateJoiners === "exclude" || (state !== "running" && state !== "paused")) return undefined;
  if (directory.revision === loaded.joinersRevision || now - loaded.joinersAt < INTERVAL_MS) return undefined;
  loaded.joinersAt = now;
  const quarantined = new Set(
    db
      .prepare<[string], string>("SELECT hardware_class FROM quarantines WHERE release = ?")
      .pluck()
      .all(release.digest),
  );
  const strangers = {
    requireGroups: () => {},
    *inOrder() {
      for (const device of directory.inOrder()) if (loaded.placeOf(device.id) === undefined) yield device;
    },
  };
  const { targets } = selectTargets(strangers, { ref: release, manifest, quarantined }, plan, new Map());
  const joiners = targets.slice(0, MOST_AT_ONCE);
  if (joiners.length === targets.length) loaded.joinersRevision = directory.revision;
  if (joiners.length === 0) return undefined;

  const wave = devices.reduce((highest, record) => Math.max(highest, record.wave), 0);
  const add = memberWriter(db, id, manifest);
  let position = devices.length;
  const held = plan.lateJoiners === "hold";
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
