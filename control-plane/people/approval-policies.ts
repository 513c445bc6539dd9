import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import { isWithin } from "./grants.ts";

/** How many others have to approve a rollout that has devices at a site or below it. */
export interface ApprovalPolicy {
  /** `*` for the fleet. */
  site: string;
  approvals: number;
  changedBy: string;
  /** Milliseconds since the epoch. */
  changedAt: number;
}

/** What sites ask for before anything changes on their devices. */
export class ApprovalPolicies {
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;

  constructor(db: Kysely<ControlTables>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  /** By site. */
  async list(): Promise<ApprovalPolicy[]> {
    const rows = await this.#db.selectFrom("approval_policies").selectAll().orderBy("site").execute();
    return rows.map(policyOf);
  }

  /** From now on rollouts that are submitted need so many approvals there, at least. */
  async set(site: string, approvals: number, by: string): Promise<ApprovalPolicy> {
    const row = { site, approvals, changed_by: by, changed_at: this.#now() };
    await this.#db
      .insertInto("approval_policies")
      .values(row)
      .onConflict((conflict) => conflict.column("site").doUpdateSet(row))
      .execute();
    return policyOf(row);
  }

  /** @throws MusterError `request.not-found` */
  async remove(site: string): Promise<void> {
    const { numDeletedRows } = await this.#db
      .deleteFrom("approval_policies")
      .where("site", "=", site)
      .executeTakeFirst();
    if (numDeletedRows === 0n)
      throw new MusterError("request.not-found", `There is no approval policy for ${site}.`);
  }
}

/** The most that any of the sites, or a site above one, asks for; who they are is asked only where it matters. */
export async function approvalsAt(
  db: Kysely<ControlTables>,
  sites: () => Promise<ReadonlySet<string>>,
): Promise<number> {
  const policies = await db.selectFrom("approval_policies").select(["site", "approvals"]).execute();
  return policies.length === 0 ? 0 : mostAsked(policies, await sites());
}

/** As `approvalsAt`, of policies that are known. */
export function mostAsked(
  policies: readonly Pick<ApprovalPolicy, "site" | "approvals">[],
  sites: ReadonlySet<string>,
): number {
  const asked = policies.filter((policy) => [...sites].some((site) => isWithin(site, policy.site)));
  return asked.reduce((most, { approvals }) => Math.max(most, approvals), 0);
}

const policyOf = (row: ControlTables["approval_policies"]): ApprovalPolicy => ({
  site: row.site,
  approvals: row.approvals,
  changedBy: row.changed_by,
  changedAt: row.changed_at,
});
