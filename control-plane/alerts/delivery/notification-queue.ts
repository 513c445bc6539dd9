import { type Kysely, type Selectable, sql } from "kysely";
import type { Stores } from "../../storage/database.ts";
import type { AlertNotificationsTable } from "../../storage/tables/alerts.ts";
import type { ControlTables } from "../../storage/tables/index.ts";
import type { Outgoing, ToldGroup } from "../notify-plan.ts";
import { notificationOf } from "./notification.ts";

/** Notifications that may wait for one receiver; what is beyond is told later, as it is then. */
const MAX_WAITING = 500;
/** Notifications put into the queue in one transaction. */
const WRITE_CHUNK = 50;
const KEPT_MS = 30 * 86_400_000;
const KEPT_ROWS = 10_000;

export type QueuedNotification = Selectable<AlertNotificationsTable>;

/** How delivery to one receiver goes. Times in milliseconds since the epoch. */
export interface DeliveryStatus {
  waiting: number;
  oldestWaitingAt: number | null;
  lastDeliveredAt: number | null;
  /** What the newest attempt failed with; null when it succeeded, or there was none. */
  error: string | null;
  delivered: number;
  lost: number;
}

const keyOf = (receiver: string, group: string): string => `${receiver}\u0000${group}`;

/** Notifications that wait for delivery, and what each receiver knows as firing: one transaction writes both. */
export class NotificationQueue {
  readonly #stores: Stores;
  readonly #newId: () => string;
  readonly #told = new Map<string, ToldGroup>();
  readonly #waiting = new Map<string, Map<string, QueuedNotification>>();
  /** What the newest ended notification of each receiver failed with; none where it was delivered. */
  readonly #lost = new Map<string, string>();
  #seq = 0;

  private constructor(stores: Stores, newId: () => string) {
    this.#stores = stores;
    this.#newId = newId;
  }

  static async load(stores: Stores, newId: () => string): Promise<NotificationQueue> {
    const queue = new NotificationQueue(stores, newId);
    const db: Kysely<ControlTables> = stores.control;
    for (const row of await db.selectFrom("alert_told").selectAll().execute())
      queue.#told.set(keyOf(row.receiver, row.group_key), {
        receiver: row.receiver,
        group: row.group_key,
        lastSentAt: row.last_sent_at,
        told: new Set(JSON.parse(row.told) as string[]),
      });
    const newest = await db
      .selectFrom("alert_notifications")
      .select(({ fn }) => fn.max("seq").as("seq"))
      .executeTakeFirst();
    queue.#seq = newest?.seq ?? 0;
    const ended = await db
      .selectFrom("alert_notifications")
      .select(["receiver", "outcome", "error"])
      .where("outcome", "is not", null)
      .orderBy("ended_at")
      .execute();
    for (const { receiver, outcome, error } of ended)
      queue.#note(receiver, outcome === "delivered" ? null : error);
    const rows = await db
      .selectFrom("alert_notifications")
      .selectAll()
      .where("outcome", "is", null)
      .orderBy("seq")
      .execute();
    for (const row of rows) queue.#waitingOf(row.receiver).set(row.group_key, row);
    return queue;
  }

  told(): Iterable<ToldGroup> {
    return this.#told.values();
  }

  *toldOf(receiver: string): Iterable<ToldGroup> {
    for (const group of this.#told.values()) if (group.receiver === receiver) yield group;
  }

  isWaiting(receiver: string, group: string): boolean {
    return this.#waiting.get(receiver)?.has(group) ?? false;
  }

  room(receiver: string): number {
    return MAX_WAITING - (this.#waiting.get(receiver)?.size ?? 0);
  }

  /** Oldest first. */
  waiting(receiver: string): QueuedNotification[] {
    return [...(this.#waiting.get(receiver)?.values() ?? [])].sort((a, b) => a.seq - b.seq);
  }

  /** Writes notifications to be delivered together with what their receivers then know. */
  async enqueue(outgoing: readonly Outgoing[], now: number): Promise<void> {
    for (let first = 0; first < outgoing.length; first += WRITE_CHUNK) {
      const chunk = outgoing.slice(first, first + WRITE_CHUNK).map((each) => {
        const id = this.#newId();
        const row: QueuedNotification = {
          id,
          seq: ++this.#seq,
          receiver: each.receiver.name,
          group_key: each.group,
          body: JSON.stringify(notificationOf(each, id, now)),
          created_at: now,
          attempts: 0,
          next_attempt_at: now,
          outcome: null,
          ended_at: null,
          error: null,
        };
        return { row, told: each.told };
      });
      // A receiver that was removed meanwhile gets no row, and so nothing is kept for it here either.
      const stored = await this.#stores.writeControl((db) => {
        const insert = db.prepare(
          `INSERT INTO alert_notifications
             (id, seq, receiver, group_key, body, created_at, attempts, next_attempt_at, outcome, ended_at, error)
           SELECT @id, @seq, @receiver, @group_key, @body, @created_at, @attempts, @next_attempt_at, NULL, NULL, NULL
           FROM alert_receivers WHERE name = @receiver`,
        );
        const tell = db.prepare(
          `INSERT INTO alert_told (receiver, group_key, last_sent_at, told)
           SELECT name, ?, ?, ? FROM alert_receivers WHERE name = ?
           ON CONFLICT (receiver, group_key) DO UPDATE SET last_sent_at = excluded.last_sent_at, told = excluded.told`,
        );
        return chunk.filter(({ row, told }) => {
          tell.run(row.group_key, now, JSON.stringify(told), row.receiver);
          return insert.run(row).changes > 0;
        });
      });
      for (const { row, told } of stored) {
        this.#waitingOf(row.receiver).set(row.group_key, row);
        this.#told.set(keyOf(row.receiver, row.group_key), {
          receiver: row.receiver,
          group: row.group_key,
          lastSentAt: now,
          told: new Set(told),
        });
      }
      await new Promise(setImmediate);
    }
  }

  async forget(groups: readonly ToldGroup[]): Promise<void> {
    if (groups.length === 0) return;
    await this.#stores.writeControl((db) => {
      const drop = db.prepare("DELETE FROM alert_told WHERE receiver = ? AND group_key = ?");
      for (const { receiver, group } of groups) drop.run(receiver, group);
    });
    for (const { receiver, group } of groups) this.#told.delete(keyOf(receiver, group));
  }

  /** The receiver was removed, and its rows with it. */
  drop(receiver: string): void {
    this.#waiting.delete(receiver);
    this.#lost.delete(receiver);
    for (const [key, group] of this.#told) if (group.receiver === receiver) this.#told.delete(key);
  }

  /** Its delivery ended. `error` may also say what was wrong with one that was delivered. */
  async end(
    notification: QueuedNotification,
    outcome: "delivered" | "refused" | "given-up",
    error: string | null,
    now: number,
  ): Promise<void> {
    await this.#stores.control
      .updateTable("alert_notifications")
      .set({ outcome, error, ended_at: now, attempts: notification.attempts + 1 })
      .where("id", "=", notification.id)
      .execute();
    this.#waiting.get(notification.receiver)?.delete(notification.group_key);
    this.#note(notification.receiver, outcome === "delivered" ? null : error);
  }

  /** It stays, to be tried again at `nextAttemptAt`. */
  async postpone(notification: QueuedNotification, error: string, nextAttemptAt: number): Promise<void> {
    const change = { attempts: notification.attempts + 1, error, next_attempt_at: nextAttemptAt };
    await this.#stores.control
      .updateTable("alert_notifications")
      .set(change)
      .where("id", "=", notification.id)
      .execute();
    const waiting = this.#waiting.get(notification.receiver);
    if (waiting?.get(notification.group_key)?.id === notification.id)
      waiting.set(notification.group_key, { ...notification, ...change });
  }

  /** Everything that waits for the receiver may be tried at once: it was mended. */
  hasten(receiver: string, now: number): void {
    const waiting = this.#waitingOf(receiver);
    for (const [group, row] of waiting) waiting.set(group, { ...row, next_attempt_at: now });
  }

  async status(receiver: string): Promise<DeliveryStatus> {
    const waiting = this.waiting(receiver);
    const { rows } = await sql<{
      outcome: string;
      count: number;
      last: number | null;
    }>`SELECT outcome, count(*) AS count, max(ended_at) AS last FROM alert_notifications
       WHERE receiver = ${receiver} AND outcome IS NOT NULL GROUP BY outcome`.execute(this.#stores.control);
    const of = (outcome: string) => rows.find((row) => row.outcome === outcome);
    return {
      waiting: waiting.length,
      oldestWaitingAt: waiting[0]?.created_at ?? null,
      lastDeliveredAt: of("delivered")?.last ?? null,
      error: this.errorOf(receiver),
      delivered: of("delivered")?.count ?? 0,
      lost: (of("refused")?.count ?? 0) + (of("given-up")?.count ?? 0),
    };
  }

  /** What delivery to the receiver fails with now; null while it goes well. */
  errorOf(receiver: string): string | null {
    for (const { error } of this.#waiting.get(receiver)?.values() ?? []) if (error !== null) return error;
    return this.#lost.get(receiver) ?? null;
  }

  /** Removes what ended long ago. */
  async tidy(now: number): Promise<void> {
    await this.#stores.writeControl((db) =>
      db
        .prepare("DELETE FROM alert_notifications WHERE outcome IS NOT NULL AND (ended_at < ? OR seq <= ?)")
        .run(now - KEPT_MS, this.#seq - KEPT_ROWS),
    );
  }

  #note(receiver: string, error: string | null): void {
    if (error === null) this.#lost.delete(receiver);
    else this.#lost.set(receiver, error);
  }

  #waitingOf(receiver: string): Map<string, QueuedNotification> {
    let waiting = this.#waiting.get(receiver);
    if (!waiting) {
      waiting = new Map();
      this.#waiting.set(receiver, waiting);
    }
    return waiting;
  }
}
