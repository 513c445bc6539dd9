import { MusterError } from "@muster/shared/errors";
import { type Kysely, type RawBuilder, type SqlBool, sql } from "kysely";
import type { Directory } from "../fleet/directory.ts";
import { matches, parseSelector } from "../fleet/selector.ts";
import { isConfined } from "../people/confine.ts";
import type { Reach } from "../people/reach.ts";
import { siteIsWithin } from "../storage/site-filter.ts";
import type { ControlTables } from "../storage/tables/index.ts";
import type { RolloutsTable } from "../storage/tables/rollouts.ts";
import type { RolloutPlan } from "./plan.ts";
import { planOf } from "./store.ts";

/** True where the plan can select nothing outside, late joiners included. */
export const isWithinReach = (plan: Pick<RolloutPlan, "selector">, reach: Reach): boolean =>
  isConfined(parseSelector(plan.selector), reach);

/**
 * Rollouts that somebody sees: those with devices within his reach, and those not started that would select any.
 */
export async function seenBy(
  db: Kysely<ControlTables>,
  directory: Directory,
  reach: Reach,
): Promise<RawBuilder<SqlBool> | undefined> {
  if (reach.isEverywhere) return undefined;
  const drafts = await db.selectFrom("rollouts").selectAll().where("started_at", "is", null).execute();
  const planned = drafts.filter((row) => wouldSelect(row, directory, reach)).map(({ id }) => id);
  const ids = planned.length > 0 ? sql`rollouts.id IN (${sql.join(planned)})` : sql`1 = 0`;
  return sql<SqlBool>`(${ids} OR EXISTS (SELECT 1 FROM rollout_devices AS member
    WHERE member.rollout = rollouts.id AND ${siteIsWithin("member.site", reach.sites)}))`;
}

function wouldSelect(row: RolloutsTable, directory: Directory, reach: Reach): boolean {
  const selector = parseSelector(planOf(row).selector);
  if (isConfined(selector, reach)) return true;
  for (const device of directory.all())
    if (reach.covers(device.site) && matches(selector, device)) return true;
  return false;
}

/** @throws MusterError `request.not-found` for a rollout that has nothing within reach */
export async function requireSeen(
  db: Kysely<ControlTables>,
  directory: Directory,
  id: string,
  reach: Reach,
): Promise<void> {
  const where = await seenBy(db, directory, reach);
  if (!where) return;
  const row = await db
    .selectFrom("rollouts")
    .select("id")
    .where("id", "=", id)
    .where(where)
    .executeTakeFirst();
  if (!row) throw new MusterError("request.not-found", `There is no rollout ${id} that you may see.`);
}

/** @throws MusterError `access.denied` for a rollout that is not there or goes beyond the reach of who changes it */
export async function requireOwn(db: Kysely<ControlTables>, id: string, reach: Reach): Promise<void> {
  if (reach.isEverywhere) return;
  const row = await db.selectFrom("rollouts").selectAll().where("id", "=", id).executeTakeFirst();
  if (row && isWithinReach(planOf(row), reach)) return;
  throw new MusterError(
    "access.denied",
    `There is no rollout ${id} that keeps to ${reach.text}: its selector would have to name sites there.`,
  );
}

/** Events of these kinds name devices, wherever they are. */
export const namesDevices = (kind: string): boolean => /^devices?-/.test(kind);
