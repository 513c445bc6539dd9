import type { Kysely } from "kysely";
import type { Directory } from "../fleet/directory.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { noDevices, type Seen, type Situation, seenIn, situationOf, sumOf } from "./counts.ts";
import type { DeviceCounts } from "./views.ts";

/** A rollout that has told nobody, and a device that nothing keeps: the status alone decides. */
const UNSEEN = { open: null, ended: false };
const PRESENT: Seen = { isOnline: () => true, isWithheld: () => false };
const LOOKED_UP_AT_ONCE = 500;

/** Counts of each wave, by its number from 0, and of all devices. */
export interface Counted {
  waves: DeviceCounts[];
  all: DeviceCounts;
}

/** Counts the devices of some rollouts, by the database where liveness does not matter. */
export async function readCounts(
  db: Kysely<ControlTables>,
  rollouts: readonly Pick<RolloutsTable, "id" | "wave" | "ended_at">[],
  directory: Directory,
): Promise<(rollout: string) => Counted> {
  const ids = rollouts.map(({ id }) => id);
  const standing = new Map(
    rollouts.map(({ id, wave, ended_at }) => [id, { open: wave, ended: ended_at !== null }]),
  );
  const counted = new Map<string, DeviceCounts[]>();
  const add = (rollout: string, wave: number, situation: Situation, count: number) => {
    const waves = counted.get(rollout) ?? [];
    counted.set(rollout, waves);
    while (waves.length <= wave) waves.push(noDevices());
    const counts = waves[wave] as DeviceCounts;
    counts[situation] += count;
    counts.total += count;
  };
  if (ids.length > 0) {
    const groups = await db
      .selectFrom("rollout_devices")
      .select(({ fn }) => ["rollout", "status", "wave", fn.countAll<number>().as("devices")])
      .where("rollout", "in", ids)
      .groupBy(["rollout", "status", "wave"])
      .execute();
    for (const { rollout, status, wave, devices } of groups) {
      const opened = wave <= (standing.get(rollout)?.open ?? -1);
      if (status !== "told" && !(status === "waiting" && opened))
        add(rollout, wave, situationOf({ status, wave }, UNSEEN, PRESENT), Number(devices));
    }
    const watched = await db
      .selectFrom("rollout_devices")
      .innerJoin("rollouts", "rollouts.id", "rollout_devices.rollout")
      .select(["rollout", "device", "status", "rollout_devices.wave"])
      .where("rollout", "in", ids)
      .where("status", "in", ["told", "waiting"])
      .whereRef("rollout_devices.wave", "<=", "rollouts.wave")
      .execute();
    for (const { rollout, device, status, wave } of watched)
      add(
        rollout,
        wave,
        situationOf({ status, wave }, standing.get(rollout) ?? UNSEEN, seenIn(directory, device)),
        1,
      );
    // Those whose end counts for nothing while they are withheld: few, so that each is looked at by itself.
    const withheld = directory.withheld();
    for (let from = 0; from < withheld.length; from += LOOKED_UP_AT_ONCE) {
      const some = withheld.slice(from, from + LOOKED_UP_AT_ONCE).map(({ id }) => id);
      const ended = await db
        .selectFrom("rollout_devices")
        .select(["rollout", "device", "status", "wave"])
        .where("rollout", "in", ids)
        .where("device", "in", some)
        .where("status", "in", ["retrying", "succeeded", "failed"])
        .execute();
      for (const { rollout, device, status, wave } of ended) {
        const known = standing.get(rollout) ?? UNSEEN;
        const situation = situationOf({ status, wave }, known, seenIn(directory, device));
        if (situation !== "withheld") continue;
        add(rollout, wave, situationOf({ status, wave }, UNSEEN, PRESENT), -1);
        add(rollout, wave, situation, 1);
      }
    }
  }
  return (rollout) => {
    const waves = counted.get(rollout) ?? [];
    return { waves, all: sumOf(waves) };
  };
}
