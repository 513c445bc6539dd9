import type { Database } from "better-sqlite3";
import { mostAsked } from "../people/approval-policies.ts";
import type { ControlTables } from "../storage/tables/index.ts";

/**
 * Tells how many approvals a site, or one above it, asks for, as things stand. Labels change and devices come after a
 * rollout was approved: what is asked for is looked up again where targets are fixed and where late joiners come.
 */
export function approvalsAsked(db: Database): (sites: ReadonlySet<string>) => number {
  const policies = db
    .prepare<[], Pick<ControlTables["approval_policies"], "site" | "approvals">>(
      "SELECT site, approvals FROM approval_policies",
    )
    .all();
  return (sites) => (policies.length === 0 ? 0 : mostAsked(policies, sites));
}
