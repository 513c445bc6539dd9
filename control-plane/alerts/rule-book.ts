import { MusterError } from "@muster/shared/errors";
import type { Kysely } from "kysely";
import type { ControlTables } from "../storage/tables/index.ts";
import { BUILT_IN_RULES } from "./built-in-rules.ts";
import { type AlertRule, type AlertRuleInput, completeRule, requireNoCircle } from "./rule.ts";

export interface RuleEntry {
  rule: AlertRule;
  /** Muster brings a rule of this name along. */
  builtIn: boolean;
  /** When and by whom it was written; null for a built-in rule as it came. */
  changed: { at: number; by: string } | null;
}

/** Rules that operators may add: each of them looks at every device. */
const MAX_RULES = 200;

/** The rules in force: the built-in ones, and what operators wrote in their place or beside them. */
export class RuleBook {
  readonly #db: Kysely<ControlTables>;
  readonly #clock: () => number;
  readonly #written = new Map<string, RuleEntry>();

  private constructor(db: Kysely<ControlTables>, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
  }

  static async load(db: Kysely<ControlTables>, clock: () => number): Promise<RuleBook> {
    const book = new RuleBook(db, clock);
    for (const row of await db.selectFrom("alert_rules").selectAll().execute())
      book.#written.set(row.name, {
        rule: JSON.parse(row.rule) as AlertRule,
        builtIn: isBuiltIn(row.name),
        changed: { at: row.changed_at, by: row.changed_by },
      });
    return book;
  }

  /** By name. */
  list(): RuleEntry[] {
    const entries = new Map<string, RuleEntry>(
      BUILT_IN_RULES.map((rule) => [rule.name, { rule, builtIn: true, changed: null }]),
    );
    for (const [name, entry] of this.#written) entries.set(name, entry);
    return [...entries.values()].sort((a, b) => (a.rule.name < b.rule.name ? -1 : 1));
  }

  enabled(): AlertRule[] {
    return this.list()
      .map(({ rule }) => rule)
      .filter(({ enabled }) => enabled);
  }

  /** @throws MusterError `request.not-found` */
  get(name: string): RuleEntry {
    const entry = this.list().find(({ rule }) => rule.name === name);
    if (!entry) throw new MusterError("request.not-found", `There is no alert rule ${name}.`);
    return entry;
  }

  /**
   * Writes a rule whole.
   * @throws MusterError `alert.rule-invalid`, `selector.invalid`, or `request.conflict` for too many rules
   */
  async set(name: string, input: AlertRuleInput, by: string): Promise<RuleEntry> {
    const rule = completeRule(name, input);
    requireNoCircle(
      rule,
      this.list().map((entry) => entry.rule),
    );
    if (this.#written.size >= MAX_RULES && !this.#written.has(name))
      throw new MusterError("request.conflict", `There are ${MAX_RULES} alert rules of operators already.`);
    const at = this.#clock();
    const row = { rule: JSON.stringify(rule), changed_at: at, changed_by: by };
    await this.#db
      .insertInto("alert_rules")
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(row))
      .execute();
    const entry = { rule, builtIn: isBuiltIn(name), changed: { at, by } };
    this.#written.set(name, entry);
    return entry;
  }

  /**
   * Removes what an operator wrote; a built-in rule is then as it came.
   * @throws MusterError `request.not-found`, or `request.conflict` for a built-in rule that nobody changed
   */
  async remove(name: string): Promise<void> {
    if (this.get(name).changed === null)
      throw new MusterError(
        "request.conflict",
        `${name} is a built-in rule as it came: switch it off with \`muster alert rule set ${name} --disable\`.`,
      );
    await this.#db.deleteFrom("alert_rules").where("name", "=", name).execute();
    this.#written.delete(name);
  }
}

const isBuiltIn = (name: string): boolean => BUILT_IN_RULES.some((rule) => rule.name === name);
