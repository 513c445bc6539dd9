import type { Kysely } from "kysely";
import { parseSelector, valuesOf } from "../fleet/selector.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutPlan } from "./plan.ts";

/** Ids of the rollouts that have not ended and name the group, in their selector or in that of a wave. */
export async function rolloutsNaming(db: Kysely<ControlTables>, group: string): Promise<string[]> {
  const rows = await db
    .selectFrom("rollouts")
    .select(["id", "plan"])
    .where("ended_at", "is", null)
    .orderBy("created_at")
    .execute();
  return rows
    .filter(({ plan }) => groupsOf(JSON.parse(plan) as RolloutPlan).includes(group))
    .map(({ id }) => id);
}

const groupsOf = ({ selector, waves }: RolloutPlan): string[] =>
  [selector, ...waves.flatMap((wave) => ("selector" in wave ? [wave.selector] : []))].flatMap((text) =>
    valuesOf(parseSelector(text), "group"),
  );
