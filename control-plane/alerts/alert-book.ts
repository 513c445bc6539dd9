import type { Stores } from "../storage/database.ts";
import { siteIsWithin } from "../storage/site-filter.ts";
import { type Alert, alertKey } from "./alert.ts";
import { ALERT_COLUMNS, alertOf, rowOf } from "./alert-rows.ts";
import { type Judgement, withoutAbsence } from "./engine.ts";
import type { Severity } from "./rule.ts";

/** Rows written in one transaction; more would hold up the event loop for too long. */
const WRITE_CHUNK = 250;
/** History: what is older or beyond this number goes. */
const KEPT_MS = 90 * 86_400_000;
const KEPT_ROWS = 50_000;
const DELETE_CHUNK = 2_000;

const UPSERT = `INSERT INTO alerts (${ALERT_COLUMNS.join(", ")}) VALUES (${ALERT_COLUMNS.map((name) => `@${name}`).join(", ")})
  ON CONFLICT (id) DO UPDATE SET ${ALERT_COLUMNS.filter((name) => name !== "id")
    .map((name) => `${name} = excluded.${name}`)
    .join(", ")}`;

export interface HistoryQuery {
  rule?: string;
  /** This site and everything below it. */
  site?: string;
  /** Only what lies at or below one of them. */
  sites?: readonly string[];
  severity?: string;
  /** 1 to 1000; 100. */
  limit?: number;
  /** `next` of the page before. */
  cursor?: { resolvedAt: number; id: string };
}

/** Alerts that are active, in memory as they are in the database; and those that ended, in the database alone. */
export class AlertBook {
  readonly #stores: Stores;
  readonly #active = new Map<string, Alert>();
  readonly #byId = new Map<string, Alert>();
  /** Of the active ones; undefined where it has to be made anew. */
  #order: string[] | undefined;

  private constructor(stores: Stores) {
    this.#stores = stores;
  }

  static async load(stores: Stores): Promise<AlertBook> {
    const book = new AlertBook(stores);
    const rows = await stores.control
      .selectFrom("alerts")
      .selectAll()
      .where("state", "!=", "resolved")
      .execute();
    for (const row of rows) book.#keep(alertOf(row));
    return book;
  }

  /**
   * Takes out the time in which no control plane looked, milliseconds since the epoch.
   * @throws MusterError of the `storage.` family
   */
  async leaveOut(from: number, to: number): Promise<void> {
    const moved = [...this.#active.values()].flatMap((alert): Judgement[] => {
      const later = withoutAbsence(alert, from, to);
      return later === alert ? [] : [{ alert: later, change: "updated" }];
    });
    await this.apply(moved);
  }

  active(): Iterable<Alert> {
    return this.#active.values();
  }

  /** Active alerts: firing before pending, the most severe first, then the newest. */
  inOrder(): Alert[] {
    this.#order ??= inOrder(this.#active.values());
    return this.#order.flatMap((id) => this.#byId.get(id) ?? []);
  }

  get(rule: string, group: string): Alert | undefined {
    return this.#active.get(alertKey(rule, group));
  }

  isFiring(id: string): boolean {
    return this.#byId.get(id)?.state === "firing";
  }

  /** An active alert, or one that ended. */
  async find(id: string): Promise<Alert | undefined> {
    const active = this.#byId.get(id);
    if (active) return active;
    const row = await this.#stores.control
      .selectFrom("alerts")
      .selectAll()
      .where("id", "=", id)
      .executeTakeFirst();
    return row && alertOf(row);
  }

  /** Ended alerts among these. */
  async ended(ids: readonly string[]): Promise<Alert[]> {
    const ended: Alert[] = [];
    for (let first = 0; first < ids.length; first += 500) {
      const rows = await this.#stores.control
        .selectFrom("alerts")
        .selectAll()
        .where("id", "in", ids.slice(first, first + 500))
        .where("state", "=", "resolved")
        .execute();
      ended.push(...rows.map(alertOf));
    }
    return ended;
  }

  /**
   * Takes in what the engine decided, a few hundred in each transaction. The memory follows each of them, so after
   * a failure the rest is decided anew.
   * @throws MusterError of the `storage.` family
   */
  async apply(judgements: readonly Judgement[]): Promise<void> {
    const changed: Judgement[] = [];
    for (const judgement of judgements)
      if (judgement.change === "unchanged") this.#keep(judgement.alert);
      else changed.push(judgement);
    for (let first = 0; first < changed.length; first += WRITE_CHUNK) {
      const chunk = changed.slice(first, first + WRITE_CHUNK);
      await this.#stores.writeControl((db) => {
        const upsert = db.prepare(UPSERT);
        const drop = db.prepare("DELETE FROM alerts WHERE id = ?");
        for (const { alert, change } of chunk)
          if (change === "dropped") drop.run(alert.id);
          else upsert.run(rowOf(alert));
      });
      this.#order = undefined;
      for (const { alert, change } of chunk)
        if (change === "dropped" || change === "resolved") this.#forget(alert);
        else this.#keep(alert);
      await new Promise(setImmediate);
    }
  }

  /** Ended alerts, the newest end first. */
  async history(query: HistoryQuery = {}): Promise<{ alerts: Alert[]; next: HistoryQuery["cursor"] | null }> {
    const { rule, site, sites, severity, limit = 100, cursor } = query;
    let select = this.#stores.control
      .selectFrom("alerts")
      .selectAll()
      .where("state", "=", "resolved")
      .orderBy("resolved_at", "desc")
      .orderBy("id", "desc")
      .limit(limit + 1);
    if (rule !== undefined) select = select.where("rule", "=", rule);
    if (severity !== undefined) select = select.where("severity", "=", severity);
    for (const paths of [site === undefined ? undefined : [site], sites])
      if (paths !== undefined) select = select.where(siteIsWithin("site", paths));
    if (cursor !== undefined)
      select = select.where(({ eb, or }) =>
        or([
          eb("resolved_at", "<", cursor.resolvedAt),
          eb.and([eb("resolved_at", "=", cursor.resolvedAt), eb("id", "<", cursor.id)]),
        ]),
      );
    const alerts = (await select.execute()).map(alertOf);
    const page = alerts.slice(0, limit);
    const last = page.at(-1);
    const more = alerts.length > limit && last !== undefined;
    return { alerts: page, next: more ? { resolvedAt: last.resolvedAt ?? 0, id: last.id } : null };
  }

  /** Removes history beyond its limits, a piece at a time. */
  async tidy(now: number): Promise<void> {
    for (;;) {
      const removed = await this.#stores.writeControl(
        (db) =>
          db
            .prepare(
              `DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE state = 'resolved' AND resolved_at <
                 max(?, coalesce((SELECT resolved_at FROM alerts WHERE state = 'resolved'
                   ORDER BY resolved_at DESC LIMIT 1 OFFSET ?), 0)) LIMIT ?)`,
            )
            .run(now - KEPT_MS, KEPT_ROWS, DELETE_CHUNK).changes,
      );
      if (removed < DELETE_CHUNK) return;
    }
  }

  #keep(alert: Alert): void {
    this.#active.set(alertKey(alert.rule, alert.group), alert);
    this.#byId.set(alert.id, alert);
  }

  #forget(alert: Alert): void {
    this.#active.delete(alertKey(alert.rule, alert.group));
    this.#byId.delete(alert.id);
  }
}

const RANK: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, info: 2 };

/** Ids of the alerts in their order; what is compared often is made once. */
function inOrder(alerts: Iterable<Alert>): string[] {
  const keys = Array.from(alerts, ({ id, state, severity, firedAt, since }) => ({
    id,
    rank: (state === "pending" ? 3 : 0) + RANK[severity],
    at: firedAt ?? since,
  }));
  keys.sort((a, b) => a.rank - b.rank || b.at - a.at || (a.id < b.id ? -1 : 1));
  return keys.map(({ id }) => id);
}
