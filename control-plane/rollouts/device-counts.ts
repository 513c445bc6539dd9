import type { Kysely } from "kysely";
import type { Directory } from "../fleet/directory.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import { noDevices, situationOf, sumOf } from "./counts.ts";
import type { DeviceCounts } from "./views.ts";

/** Counts of each wave, by its number from 0, and of all devices. */
export interface Counted {
  waves: DeviceCounts[];
  all: DeviceCounts;
}

/** Counts the devices of some rollouts, by the database where liveness does not matter. */
export async function readCounts(
  db: Kysely<ControlTables>,
  rollouts: readonly Pick<RolloutsTable, "id" | "wave">[],
  directory: Directory,
): Promise<(rollout: string) => Counted> {
  const ids = rollouts.map(({ id }) => id);
  const open = new Map(rollouts.map(({ id, wave }) => [id, wave]));
  const counted = new Map<string, DeviceCounts[]>();
  const add = (rollout: string, wave: number, situation: keyof DeviceCounts, count: number) => {
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
      const opened = wave <= (open.get(rollout) ?? -1);
      if (status !== "told" && !(status === "waiting" && opened))
        add(
          rollout,
          wave,
          situationOf({ status, wave }, null, () => true),
          Number(devices),
        );
    }
    const watched = await db
      .selectFrom("rollout_devices")
      .innerJoin("rollouts", "rollouts.id", "rollout_devices.rollout")
      .select(["rollout", "device", "status", "rollout_devices.wave"])
      .where("rollout", "in", ids)
      .where("status", "in", ["told", "waiting"])
      .whereRef("rollout_devices.wave", "<=", "rollouts.wave")
      .execute();
    for (const { rollout, device, status, wave } of watched) {
      const isOnline = () => directory.get(device)?.online ?? false;
      add(rollout, wave, situationOf({ status, wave }, open.get(rollout) ?? null, isOnline), 1);
    }
  }
  return (rollout) => {
    const waves = counted.get(rollout) ?? [];
    return { waves, all: sumOf(waves) };
  };
}
