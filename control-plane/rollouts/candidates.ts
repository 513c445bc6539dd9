import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import { ACTIVE_STATES } from "./model.ts";
import type { RolloutPlan } from "./plan.ts";

/** The rollout that has a device, and the priority by which it holds it. */
export interface Claim {
  rollout: string;
  /** Name of its release. */
  name: string;
  priority: number;
}

/**
 * Devices of rollouts under way, each with the one that has it: of several the one of the higher priority, of
 * equal ones that which started first.
 * @param except A rollout whose own claims do not count
 */
export async function readClaims(db: Kysely<ControlTables>, except?: string): Promise<Map<string, Claim>> {
  const rollouts = await db
    .selectFrom("rollouts")
    .select(["id", "plan"])
    .where("state", "in", [...ACTIVE_STATES])
    .$if(except !== undefined, (query) => query.where("id", "!=", except ?? ""))
    .orderBy("started_at")
    .orderBy("created_at")
    .orderBy("id")
    .execute();
  const claims = rollouts.map(({ id, plan: text }): Claim => {
    const { release, priority } = JSON.parse(text) as RolloutPlan;
    return { rollout: id, name: release.name, priority };
  });
  const claimed = new Map<string, Claim>();
  for (const claim of claims.sort((a, b) => b.priority - a.priority)) {
    const members = await db
      .selectFrom("rollout_devices")
      .select("device")
      .where("rollout", "=", claim.rollout)
      .where("status", "in", ["waiting", "retrying", "told", "returning", "succeeded", "failed"])
      .execute();
    for (const { device } of members) if (!claimed.has(device)) claimed.set(device, claim);
  }
  return claimed;
}
