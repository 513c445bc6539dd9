import { MusterError } from "@muster/shared/errors";
import { powerPolicyMembers } from "@muster/shared/protocol/power-policy";
import { validate } from "@muster/shared/protocol/validate";
import type { Kysely } from "kysely";
import { type Static, Type } from "typebox";
import type { ControlTables } from "../storage/tables/index.ts";
import { inTransaction } from "../storage/transaction.ts";
import { type PolicyScope, scopeText } from "./scope.ts";

/** What an operator decides; the time zone comes from the site of each device. */
export const PolicyContent = Type.Object(powerPolicyMembers, { additionalProperties: false });
export type PolicyContent = Static<typeof PolicyContent>;

/** A policy with who decided it. Times in milliseconds since the epoch. */
export interface PolicyInfo extends PolicyContent {
  /** `fleet`, `site:PATH` or `group:NAME`. */
  scope: string;
  changedBy: string;
  changedAt: number;
}

/** Policies of all places, at most. */
const MOST_POLICIES = 500;

/** Decisions about work that can wait, by place. */
export class PowerPolicies {
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;
  readonly #changed: () => void;

  /** @param changed told after each change */
  constructor(db: Kysely<ControlTables>, now: () => number, changed: () => void) {
    this.#db = db;
    this.#now = now;
    this.#changed = changed;
  }

  /**
   * From now on this holds at the place, in place of what was decided there before.
   * @param operator name of who asks
   * @throws MusterError `request.invalid`, `request.conflict` where there are too many
   */
  async set(scope: PolicyScope, wanted: PolicyContent, operator: string): Promise<PolicyInfo> {
    const { windows, bestEffortOutside } = validate(PolicyContent, wanted, "request.invalid");
    const row = {
      scope: scopeText(scope),
      content: JSON.stringify({ windows, bestEffortOutside }),
      changed_by: operator,
      changed_at: this.#now(),
    };
    await inTransaction(this.#db, async (tx) => {
      const others = await tx
        .selectFrom("power_policies")
        .select((select) => select.fn.countAll<number>().as("count"))
        .where("scope", "!=", row.scope)
        .executeTakeFirstOrThrow();
      if (others.count >= MOST_POLICIES)
        throw new MusterError(
          "request.conflict",
          `There are ${MOST_POLICIES} power policies: take some back.`,
        );
      await tx
        .insertInto("power_policies")
        .values(row)
        .onConflict((conflict) => conflict.column("scope").doUpdateSet(row))
        .execute();
    });
    this.#changed();
    return infoOf(row);
  }

  /** What holds above, or nothing, holds at the place again. @throws MusterError `request.not-found` */
  async remove(scope: PolicyScope): Promise<void> {
    const text = scopeText(scope);
    const { numDeletedRows } = await this.#db
      .deleteFrom("power_policies")
      .where("scope", "=", text)
      .executeTakeFirst();
    if (numDeletedRows === 0n)
      throw new MusterError("request.not-found", `There is no power policy for ${text}.`);
    this.#changed();
  }

  /** By scope. */
  async list(): Promise<PolicyInfo[]> {
    const rows = await this.#db.selectFrom("power_policies").selectAll().orderBy("scope").execute();
    return rows.map(infoOf);
  }
}

interface Row {
  scope: string;
  content: string;
  changed_by: string;
  changed_at: number;
}

const infoOf = ({ scope, content, changed_by, changed_at }: Row): PolicyInfo => ({
  scope,
  ...(JSON.parse(content) as PolicyContent),
  changedBy: changed_by,
  changedAt: changed_at,
});
