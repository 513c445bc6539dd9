import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Logger } from "pino";
import { newId } from "../ids.ts";
import type { Stores } from "../storage/database.ts";
import type { Alert, Muting } from "./alert.ts";
import { AlertBook, type HistoryQuery } from "./alert-book.ts";
import { Courier } from "./delivery/courier.ts";
import { type DeliveryStatus, NotificationQueue } from "./delivery/notification-queue.ts";
import { Evaluator } from "./evaluator.ts";
import type { Receiver, ReceiverInput } from "./receiver.ts";
import { ReceiverBook } from "./receiver-book.ts";
import { RuleBook } from "./rule-book.ts";
import type { SignalSource } from "./signal-source.ts";
import { SilenceBook } from "./silence-book.ts";

export interface AlertsParts {
  stores: Stores;
  source: SignalSource;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Of [0, 1). */
  random: () => number;
  log: Pick<Logger, "error" | "warn">;
  /** Time before this start in which no control plane looked, milliseconds since the epoch. */
  absence?: { from: number; to: number };
}

export interface ActiveAlert extends Alert {
  muted: Muting | null;
}

export interface ReceiverView {
  receiver: Receiver;
  changed: { at: number; by: string };
  status: DeliveryStatus;
}

const TIDY_EVERY_MS = 3_600_000;

/** Alerting as a whole: rules are evaluated in the background, and what they find is told. */
export class Alerts {
  readonly rules: RuleBook;
  readonly silences: SilenceBook;
  readonly #parts: AlertsParts;
  readonly #receivers: ReceiverBook;
  readonly #book: AlertBook;
  readonly #queue: NotificationQueue;
  readonly #evaluator: Evaluator;
  readonly #courier: Courier;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #tidiedAt: number;
  #closed = false;

  private constructor(
    parts: AlertsParts,
    books: {
      rules: RuleBook;
      silences: SilenceBook;
      receivers: ReceiverBook;
      alerts: AlertBook;
      queue: NotificationQueue;
    },
  ) {
    const { clock, random, log, source } = parts;
    this.#parts = parts;
    this.rules = books.rules;
    this.silences = books.silences;
    this.#receivers = books.receivers;
    this.#book = books.alerts;
    this.#queue = books.queue;
    this.#evaluator = new Evaluator({ ...books, source, clock, newId: () => newId("alert") });
    this.#courier = new Courier({ ...books, clock, random, newId: () => newId("delivery"), log });
    this.#tidiedAt = clock();
  }

  /** Milliseconds since the epoch. */
  readonly now = (): number => this.#parts.clock();

  /** Reads everything that a former process left: states, silences and notifications that wait. */
  static async open(parts: AlertsParts): Promise<Alerts> {
    const { stores, clock, absence } = parts;
    const alerts = await AlertBook.load(stores);
    if (absence) await alerts.leaveOut(absence.from, absence.to);
    return new Alerts(parts, {
      rules: await RuleBook.load(stores.control, clock),
      silences: await SilenceBook.load(stores.control, clock),
      receivers: await ReceiverBook.load(stores.control, clock),
      alerts,
      queue: await NotificationQueue.load(stores, () => newId("delivery")),
    });
  }

  /** Evaluates from now on, every `intervalMs`. */
  start(intervalMs: number): void {
    const look = () => {
      this.evaluate().catch((error: unknown) => {
        const { code, message } = asMusterError(error);
        this.#parts.log.error({ code, err: error }, `alerts: ${message}`);
      });
    };
    this.#timer = setInterval(look, intervalMs);
    this.#courier.wake();
    look();
  }

  /** One evaluation; one that is under way is waited for instead. */
  async evaluate(): Promise<void> {
    if (this.#closed) return;
    this.#running ??= this.#evaluate().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Ends evaluation and calls off deliveries, which go on after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#courier.close();
    await this.#running?.catch(() => {});
  }

  /** Pending and firing alerts of which `wanted` holds: the most severe first, then the newest. */
  select(wanted: (alert: Alert, muting: Muting | undefined) => boolean): Alert[] {
    return this.#book.inOrder().filter((alert) => wanted(alert, this.mutingOf(alert.id)));
  }

  /** Why a firing alert is not told. */
  mutingOf(id: string): Muting | undefined {
    return this.#evaluator.mutingOf(id);
  }

  /** Every pending and firing alert, as `select` orders them. */
  active(): ActiveAlert[] {
    return this.select(() => true).map((alert) => ({ ...alert, muted: this.mutingOf(alert.id) ?? null }));
  }

  /** @throws MusterError `request.not-found` */
  async get(id: string): Promise<ActiveAlert> {
    const alert = await this.#book.find(id);
    if (!alert) throw new MusterError("request.not-found", `There is no alert ${id}.`);
    return { ...alert, muted: this.mutingOf(id) ?? null };
  }

  async history(query: HistoryQuery): Promise<{ alerts: Alert[]; next: HistoryQuery["cursor"] | null }> {
    return await this.#book.history(query);
  }

  async receivers(): Promise<ReceiverView[]> {
    return await Promise.all(this.#receivers.list().map(async ({ name }) => await this.receiver(name)));
  }

  /** @throws MusterError `request.not-found` */
  async receiver(name: string): Promise<ReceiverView> {
    const receiver = this.#receivers.get(name);
    const changed = this.#receivers.changedOf(name) ?? { at: 0, by: "" };
    return { receiver, changed, status: await this.#queue.status(name) };
  }

  /**
   * Writes a receiver; what waits for it is tried at once.
   * @throws MusterError `alert.receiver-invalid`, `selector.invalid` or `request.conflict`
   */
  async setReceiver(
    name: string,
    input: ReceiverInput,
    by: string,
  ): Promise<{ view: ReceiverView; madeSecret: string | null }> {
    const { madeSecret } = await this.#receivers.set(name, input, by);
    this.#courier.mended(name);
    return { view: await this.receiver(name), madeSecret };
  }

  /** @throws MusterError `request.not-found` */
  async removeReceiver(name: string): Promise<void> {
    await this.#receivers.remove(name);
    this.#queue.drop(name);
  }

  /** @returns milliseconds. @throws MusterError `request.not-found`, `alert.undelivered`, `alert.refused` */
  async testReceiver(name: string): Promise<number> {
    return await this.#courier.test(name);
  }

  async #evaluate(): Promise<void> {
    await this.#evaluator.evaluate();
    this.#courier.wake();
    const now = this.#parts.clock();
    if (Math.abs(now - this.#tidiedAt) < TIDY_EVERY_MS) return;
    this.#tidiedAt = now;
    await this.#book.tidy(now);
    await this.#queue.tidy(now);
    await this.silences.tidy();
  }
}
