import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { Labels } from "@muster/shared/protocol/primitives";
import type { Directive } from "@muster/shared/trust/directive";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import type { Candidate } from "./selection.ts";

/** States in which a rollout has its devices to itself. */
export const ACTIVE_STATES = ["running", "paused", "aborting", "reverting"] as const;

/** Every device of the fleet, as a plan looks at it. */
export async function readCandidates(db: Kysely<ControlTables>): Promise<Candidate[]> {
  const devices = await db
    .selectFrom("devices")
    .select([
      "id",
      "name",
      "site",
      "labels",
      "hardware",
      "hardware_class",
      "status",
      "running_digest",
      "directive",
    ])
    .orderBy("id")
    .execute();
  const busy = await readBusy(db);
  return devices.map((row) => ({
    id: row.id,
    name: row.name,
    site: row.site,
    labels: JSON.parse(row.labels) as Labels,
    hardware: JSON.parse(row.hardware) as HardwareFacts,
    hardwareClass: row.hardware_class,
    active: row.status === "active",
    running: row.running_digest,
    desired: row.directive === null ? undefined : desiredDigest(row.directive),
    rollout: busy.get(row.id) ?? null,
  }));
}

const desiredDigest = (directive: string): string | null =>
  (JSON.parse(directive) as Directive).payload.release?.digest ?? null;

/** Devices of rollouts under way, with the rollout. */
export async function readBusy(db: Kysely<ControlTables>): Promise<Map<string, string>> {
  const rows = await db
    .selectFrom("rollout_devices")
    .innerJoin("rollouts", "rollouts.id", "rollout_devices.rollout")
    .select(["rollout_devices.device", "rollout_devices.rollout"])
    .where("rollouts.state", "in", [...ACTIVE_STATES])
    .execute();
  return new Map(rows.map(({ device, rollout }) => [device, rollout]));
}
