import { asMusterError, MusterError } from "@muster/shared/errors";
import type { Logger } from "pino";
import type { Receiver } from "../receiver.ts";
import type { ReceiverBook } from "../receiver-book.ts";
import type { Attempt } from "./attempt.ts";
import { GIVE_UP_AFTER_MS, retryDelay } from "./backoff.ts";
import { deliver } from "./deliver.ts";
import { testNotification } from "./notification.ts";
import type { NotificationQueue, QueuedNotification } from "./notification-queue.ts";

export interface CourierParts {
  queue: NotificationQueue;
  receivers: ReceiverBook;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Of [0, 1). */
  random: () => number;
  newId: () => string;
  log: Pick<Logger, "error" | "warn">;
}

interface Route {
  /** Failures since the last success, and until when the receiver is left alone for them. */
  failures: number;
  pausedUntil: number;
  timer: NodeJS.Timeout | undefined;
  working: Promise<void> | undefined;
}

/** Longest timer, milliseconds: it looks again then. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Brings notifications to their receivers, to each of them one at a time and to all of them side by side: a slow
 * one holds up nobody else. A notification is tried again until it is delivered, refused for good or a day old;
 * one that always fails waits behind those that do not. What was under way when the process ended is sent again.
 */
export class Courier {
  readonly #parts: CourierParts;
  readonly #routes = new Map<string, Route>();
  readonly #ends = new AbortController();

  constructor(parts: CourierParts) {
    this.#parts = parts;
  }

  /** Looks at every receiver now. */
  wake(): void {
    for (const { name } of this.#parts.receivers.list()) this.#visit(name);
  }

  /** The receiver was changed or has just been reached: it is tried again at once. */
  mended(name: string): void {
    const route = this.#routeOf(name);
    route.failures = 0;
    route.pausedUntil = 0;
    this.#parts.queue.hasten(name, this.#parts.clock());
    this.#visit(name);
  }

  /**
   * Sends one test notification now, past the queue.
   * @returns milliseconds that it took
   * @throws MusterError `request.not-found`, `alert.undelivered` or `alert.refused`
   */
  async test(name: string): Promise<number> {
    const { receivers, newId, clock } = this.#parts;
    const receiver = receivers.get(name);
    const id = newId();
    const startedAt = performance.now();
    const body = JSON.stringify(testNotification(name, id, clock()));
    const attempt = await this.#attempt(receiver, id, body);
    if (attempt.outcome === "delivered") {
      if (attempt.note !== null) throw new MusterError("alert.refused", attempt.note);
      this.mended(name);
      return Math.round(performance.now() - startedAt);
    }
    throw new MusterError(
      attempt.outcome === "refused" ? "alert.refused" : "alert.undelivered",
      attempt.error,
    );
  }

  /** Calls off what is under way, to be sent again after the next start. */
  async close(): Promise<void> {
    this.#ends.abort();
    for (const { timer } of this.#routes.values()) clearTimeout(timer);
    await Promise.all([...this.#routes.values()].map(({ working }) => working));
  }

  #visit(name: string): void {
    const route = this.#routeOf(name);
    if (route.working !== undefined || this.#ends.signal.aborted) return;
    clearTimeout(route.timer);
    route.working = this.#work(name, route)
      .catch((error: unknown) => {
        const { code, message } = asMusterError(error);
        this.#parts.log.error({ receiver: name, code, err: error }, message);
        // The database refuses: trying again at once would send the same notification over and over.
        route.pausedUntil = this.#parts.clock() + LONGEST_WAIT_MS;
      })
      .finally(() => {
        route.working = undefined;
        this.#schedule(name, route);
      });
  }

  async #work(name: string, route: Route): Promise<void> {
    const { queue, receivers, clock } = this.#parts;
    while (!this.#ends.signal.aborted && route.pausedUntil <= clock()) {
      const receiver = receivers.find(name);
      if (!receiver?.enabled) return;
      const next = queue.waiting(name).find((waiting) => waiting.next_attempt_at <= clock());
      if (next === undefined) return;
      const attempt = await this.#attempt(receiver, next.id, next.body);
      if (this.#ends.signal.aborted && attempt.outcome !== "delivered") return;
      await this.#settle(next, attempt, route);
    }
  }

  async #settle(notification: QueuedNotification, attempt: Attempt, route: Route): Promise<void> {
    const { queue, clock, random, log } = this.#parts;
    const { id, receiver, attempts, created_at } = notification;
    const now = clock();
    if (attempt.outcome !== "failed") {
      const error = attempt.outcome === "delivered" ? attempt.note : attempt.error;
      await queue.end(notification, attempt.outcome, error, now);
      route.failures = 0;
      if (attempt.outcome === "refused") log.error({ receiver, notification: id }, `alert: ${error}`);
      return;
    }
    route.failures += 1;
    log.warn({ receiver, notification: id, attempts: attempts + 1 }, `alert: ${attempt.error}`);
    if (now - created_at >= GIVE_UP_AFTER_MS) await queue.end(notification, "given-up", attempt.error, now);
    else
      await queue.postpone(
        notification,
        attempt.error,
        now + retryDelay(attempts + 1, random(), attempt.retryAfterMs),
      );
    route.pausedUntil = now + retryDelay(route.failures, random(), attempt.retryAfterMs);
  }

  async #attempt(receiver: Receiver, id: string, body: string): Promise<Attempt> {
    const { receivers, clock } = this.#parts;
    return await deliver(receiver, receivers.secretOf(receiver.name), id, body, clock(), this.#ends.signal);
  }

  #schedule(name: string, route: Route): void {
    const { queue, clock, receivers } = this.#parts;
    if (this.#ends.signal.aborted || !receivers.find(name)?.enabled) return;
    const waiting = queue.waiting(name);
    if (waiting.length === 0) return;
    const due = Math.min(...waiting.map(({ next_attempt_at }) => next_attempt_at));
    const delay = Math.max(due, route.pausedUntil) - clock();
    route.timer = setTimeout(() => this.#visit(name), Math.min(Math.max(0, delay), LONGEST_WAIT_MS));
  }

  #routeOf(name: string): Route {
    let route = this.#routes.get(name);
    if (!route) {
      route = { failures: 0, pausedUntil: 0, timer: undefined, working: undefined };
      this.#routes.set(name, route);
    }
    return route;
  }
}
