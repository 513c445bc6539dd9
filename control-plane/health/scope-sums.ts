import { setImmediate as breathe } from "node:timers/promises";
import type { Accumulator } from "./accumulator.ts";
import { BUCKET_MS, HOUR_MS, hourOf } from "./buckets.ts";
import type { HeartbeatLedger } from "./ledger.ts";
import { ROLLUP_KEPT_MS, type Rollup } from "./rollup-store.ts";
import type { Scope } from "./scopes.ts";
import { mergeSums, noSums, type Sums } from "./sums.ts";

/** Rows read before others get their turn: some milliseconds. */
const SLICE = 500;

/** Sums of one span of time. */
export interface SeriesPoint {
  /** Begin, milliseconds since the epoch. */
  at: number;
  sums: Sums;
}

/** Sums of a scope over any time: stored ones, and those that are not stored yet. */
export class ScopeSums {
  readonly #ledger: HeartbeatLedger;

  constructor(ledger: HeartbeatLedger) {
    this.#ledger = ledger;
  }

  /** The last 5 to 10 minutes. */
  recent(scope: Scope): Sums {
    const sums = noSums();
    const accumulator = this.#accumulator(scope);
    if (!accumulator) return sums;
    if (this.#ledger.closedIsRecent && accumulator.filled.closed) mergeSums(sums, accumulator.closed);
    mergeSums(sums, accumulator.open);
    return sums;
  }

  /** The open hour and the one before it: from one to two hours. */
  recentHours(scope: Scope): Sums {
    const sums = noSums();
    const accumulator = this.#accumulator(scope);
    if (!accumulator) return sums;
    if (this.#ledger.lastClosedHour === this.recentHoursSince) mergeSums(sums, accumulator.closedHour);
    mergeSums(sums, accumulator.hour);
    mergeSums(sums, accumulator.open);
    return sums;
  }

  /** Begin of the time of `recentHours`. */
  get recentHoursSince(): number {
    return hourOf(this.#ledger.openBucket) - HOUR_MS;
  }

  /** The open hour and so many before it. */
  lastHours(scope: Scope, hours: number): Sums {
    const sums = noSums();
    const open = hourOf(this.#ledger.openBucket);
    for (let hour = open - hours * HOUR_MS; hour <= open; hour += HOUR_MS) {
      const found = this.#at(scope, hour, HOUR_MS);
      if (found) mergeSums(sums, found);
    }
    return sums;
  }

  /**
   * Points from `from` up to `to`, `stepMs` each, in which anything was counted. `stepMs` is a multiple of 5 minutes;
   * whole hours are made of hourly sums, which are kept for longer.
   */
  async series(scope: Scope, from: number, to: number, stepMs: number): Promise<SeriesPoint[]> {
    const unit = stepMs % HOUR_MS === 0 ? HOUR_MS : BUCKET_MS;
    const points = new Map<number, Sums>();
    let read = 0;
    // Nothing is stored beyond: a series over centuries is none to look for.
    const kept = ROLLUP_KEPT_MS[rollupOf(scope, unit)];
    const { openBucket } = this.#ledger;
    const end = Math.min(to, openBucket + kept);
    for (let at = Math.max(from - (from % unit), hourOf(openBucket - kept)); at < end; at += unit) {
      const found = this.#at(scope, at, unit);
      read += 1;
      if (read % SLICE === 0) await breathe();
      if (!found) continue;
      const begin = at - (at % stepMs);
      const known = points.get(begin);
      if (known) mergeSums(known, found);
      else points.set(begin, found);
    }
    return [...points].map(([at, sums]) => ({ at, sums }));
  }

  /** A copy of the sums of one bucket or hour; undefined where nothing was counted. */
  #at(scope: Scope, at: number, unit: number): Sums | undefined {
    const { openBucket, rollups, scopes, lastClosed, lastClosedHour } = this.#ledger;
    const accumulator = this.#accumulator(scope);
    const live: Sums[] = [];
    if (accumulator && unit === BUCKET_MS) {
      if (at === openBucket) live.push(accumulator.open);
      else if (at === lastClosed && accumulator.filled.closed) live.push(accumulator.closed);
    } else if (accumulator && at === hourOf(openBucket)) live.push(accumulator.hour, accumulator.open);
    else if (accumulator && at === lastClosedHour && accumulator.filled.closedHour)
      live.push(accumulator.closedHour);
    if (live.length > 0) {
      const sums = noSums();
      for (const each of live) mergeSums(sums, each);
      return sums;
    }
    const id = scopes.known(scope.kind, scope.name);
    return id === undefined ? undefined : rollups.get(rollupOf(scope, unit), at, id);
  }

  #accumulator({ kind, name }: Scope): Accumulator | undefined {
    return kind === "device" ? this.#ledger.record(name)?.sums : this.#ledger.group(kind, name);
  }
}

function rollupOf({ kind }: Scope, unit: number): Rollup {
  const level = kind === "device" ? "device" : "group";
  return unit === BUCKET_MS ? `${level}_5m` : `${level}_1h`;
}
