import { MusterError } from "@muster/shared/errors";
import { validate } from "@muster/shared/protocol/validate";
import type { Kysely } from "kysely";
import type { ControlTables } from "../../storage/tables/index.ts";
import { inTransaction } from "../../storage/transaction.ts";
import { DEFAULT_POLICY, PolicyChange, type PolicyContent } from "./policy.ts";
import { type PolicyScope, scopesOf, scopeText } from "./scope.ts";

/** What was decided at a place, and by whom. Times in milliseconds since the epoch. */
export interface PolicyInfo {
  /** `fleet`, `site:PATH` or `class:NAME`. */
  scope: string;
  content: PolicyChange;
  changedBy: string;
  changedAt: number;
}

/** Policies of all places, at most. */
const MOST_POLICIES = 500;

/** Attestation policies by place. What a nearer place does not decide holds as it does above. */
export class AttestationPolicies {
  readonly #db: Kysely<ControlTables>;
  readonly #now: () => number;
  #byScope: ReadonlyMap<string, PolicyInfo> = new Map();

  private constructor(db: Kysely<ControlTables>, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  static async open(db: Kysely<ControlTables>, now: () => number): Promise<AttestationPolicies> {
    const policies = new AttestationPolicies(db, now);
    await policies.#read();
    return policies;
  }

  /** What holds for a device: fleet, its sites from the top on, its class; the last one wins, member by member. */
  of(site: string, hardwareClass: string): PolicyContent {
    return Object.assign(
      { ...DEFAULT_POLICY },
      ...scopesOf(site, hardwareClass).map((scope) => this.#byScope.get(scope)?.content ?? {}),
    ) as PolicyContent;
  }

  list(): PolicyInfo[] {
    return [...this.#byScope.values()].sort((a, b) => (a.scope < b.scope ? -1 : 1));
  }

  /**
   * From now on this holds at the place, on top of what was decided there before.
   * @param operator name of who asks
   * @throws MusterError `attestation.policy-invalid`, `request.invalid`, `request.conflict` where there are too many
   */
  async set(scope: PolicyScope, wanted: PolicyChange, operator: string): Promise<PolicyInfo> {
    const change = validate(PolicyChange, wanted, "attestation.policy-invalid");
    const text = scopeText(scope);
    const content = { ...this.#byScope.get(text)?.content, ...change };
    const { maxAgeMs, intervalMs } = { ...DEFAULT_POLICY, ...content };
    if (maxAgeMs < intervalMs)
      throw new MusterError(
        "attestation.policy-invalid",
        "Verdicts would end before devices are asked again: maxAgeMs has to be at least intervalMs.",
      );
    const row = {
      scope: text,
      content: JSON.stringify(content),
      changed_by: operator,
      changed_at: this.#now(),
    };
    await inTransaction(this.#db, async (tx) => {
      if (!this.#byScope.has(text) && this.#byScope.size >= MOST_POLICIES)
        throw new MusterError("request.conflict", `There are ${MOST_POLICIES} attestation policies already.`);
      await tx
        .insertInto("attestation_policies")
        .values(row)
        .onConflict((conflict) => conflict.column("scope").doUpdateSet(row))
        .execute();
    });
    await this.#read();
    return this.#byScope.get(text)!;
  }

  /** What holds above holds at the place again. @throws MusterError `request.not-found` */
  async remove(scope: PolicyScope): Promise<void> {
    const text = scopeText(scope);
    const { numDeletedRows } = await this.#db
      .deleteFrom("attestation_policies")
      .where("scope", "=", text)
      .executeTakeFirst();
    if (numDeletedRows === 0n)
      throw new MusterError("request.not-found", `There is no attestation policy for ${text}.`);
    await this.#read();
  }

  async #read(): Promise<void> {
    const rows = await this.#db.selectFrom("attestation_policies").selectAll().execute();
    this.#byScope = new Map(
      rows.map(({ scope, content, changed_by, changed_at }) => [
        scope,
        {
          scope,
          content: JSON.parse(content) as PolicyChange,
          changedBy: changed_by,
          changedAt: changed_at,
        },
      ]),
    );
  }
}
