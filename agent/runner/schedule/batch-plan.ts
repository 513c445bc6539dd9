import { TIERS, type Tier } from "@muster/shared/protocol/serving/tiers";
import type { TierQueue, Waiting } from "./queue.ts";

/** One model as batches see it. */
export interface Lane {
  /** Most rows that run together; 1 runs each request alone. */
  readonly maxBatch: number;
  /** Longest wait for more rows while the runner is free, milliseconds. */
  readonly maxDelayMs: number;
  /** Time of a batch of so many rows, milliseconds. */
  readonly predict: (rows: number) => number;
}

export interface Candidate extends Waiting {
  readonly lane: Lane;
  /** Rows that it adds to a batch; more than `maxBatch` run alone. */
  readonly rows: number;
  /** Monotonic milliseconds. */
  readonly queuedAt: number;
  /** It is computed though the prediction is against it. */
  readonly tried?: boolean;
}

/** Batches in a row that had nothing of a tier that waited. */
export type PassedOver = Readonly<Record<Tier, number>>;

export const NONE_PASSED_OVER: PassedOver = { critical: 0, standard: 0, "best-effort": 0 };

/** A tier that was passed over so often leads the next batch, so that no tier ever starves. */
const PATIENCE = 16;

export interface BatchPlan<C> {
  /** What runs now: all of one lane. */
  readonly batch: readonly C[];
  readonly rows: number;
  /** Time that it will take, milliseconds. */
  readonly predictedMs: number;
  /** What cannot make its deadline any more; to be answered before the batch blocks the thread. */
  readonly late: readonly C[];
  readonly passedOver: PassedOver;
  /** With an empty batch: when a lane stops waiting for more rows; infinite when nothing waits. */
  readonly wakeAt: number;
}

/**
 * Whether an entry cannot be computed in time even if it starts at `startAt`. A deadline that has passed is late in
 * any case.
 */
const isLate = (entry: Candidate, startAt: number, now: number): boolean =>
  entry.deadlineAt <= now || (!entry.tried && startAt + entry.lane.predict(entry.rows) > entry.deadlineAt);

/**
 * Takes the next batch out of the queue, and all that is late. The most urgent entry leads; entries of its lane join
 * in order while there is room and while the larger batch keeps the deadline of each.
 * @param now monotonic milliseconds
 */
export function planBatch<C extends Candidate>(
  queue: TierQueue<C>,
  passedOver: PassedOver,
  now: number,
): BatchPlan<C> {
  const late = queue.drop((entry) => isLate(entry, now, now));
  const heldUntil = holdsOf(queue, now);
  const leader = leaderOf(queue, passedOver, heldUntil);
  if (!leader) {
    const wakeAt = Math.min(...heldUntil.values());
    return { batch: [], rows: 0, predictedMs: 0, late, passedOver, wakeAt };
  }
  const waiting = TIERS.filter((tier) => queue.tier(tier).length > 0);
  const { batch, rows } = fill(queue, leader, now);
  const predictedMs = leader.lane.predict(rows);
  const members = new Set(batch);
  queue.drop((entry) => members.has(entry));
  late.push(...queue.drop((entry) => isLate(entry, now + predictedMs, now)));
  return { batch, rows, predictedMs, late, passedOver: passOver(passedOver, waiting, batch), wakeAt: now };
}

/** Lanes that wait for more rows, with the end of the wait. */
function holdsOf(queue: Iterable<Candidate>, now: number): Map<Lane, number> {
  const rows = new Map<Lane, number>();
  const until = new Map<Lane, number>();
  for (const { lane, rows: more, queuedAt, deadlineAt } of queue) {
    if (lane.maxDelayMs === 0) continue;
    rows.set(lane, (rows.get(lane) ?? 0) + more);
    const patience = Math.min(queuedAt + lane.maxDelayMs, deadlineAt - lane.predict(lane.maxBatch));
    until.set(lane, Math.min(until.get(lane) ?? Number.POSITIVE_INFINITY, patience));
  }
  for (const [lane, end] of until) if (end <= now || rows.get(lane)! >= lane.maxBatch) until.delete(lane);
  return until;
}

function leaderOf<C extends Candidate>(
  queue: TierQueue<C>,
  passedOver: PassedOver,
  held: ReadonlyMap<Lane, number>,
): C | undefined {
  const first = (tier: Tier) => queue.tier(tier).find(({ lane }) => !held.has(lane));
  const starved = TIERS.filter((tier) => passedOver[tier] >= PATIENCE).sort(
    (a, b) => passedOver[b] - passedOver[a],
  );
  for (const tier of [...starved, ...TIERS]) {
    const found = first(tier);
    if (found) return found;
  }
  return undefined;
}

function fill<C extends Candidate>(queue: Iterable<C>, leader: C, now: number): { batch: C[]; rows: number } {
  const { lane } = leader;
  const batch = [leader];
  let { rows, deadlineAt } = leader;
  // One without rows adds nothing to a batch, and would let one that fills a batch alone join it.
  if (rows === 0 || rows >= lane.maxBatch) return { batch, rows };
  for (const entry of queue) {
    if (entry === leader || entry.lane !== lane) continue;
    const together = rows + entry.rows;
    const soonest = Math.min(deadlineAt, entry.deadlineAt);
    if (together > lane.maxBatch || now + lane.predict(together) > soonest) break;
    batch.push(entry);
    rows = together;
    deadlineAt = soonest;
  }
  return { batch, rows };
}

function passOver(before: PassedOver, waiting: readonly Tier[], batch: readonly Candidate[]): PassedOver {
  const after: Record<Tier, number> = { ...NONE_PASSED_OVER };
  for (const tier of waiting) if (!batch.some((entry) => entry.tier === tier)) after[tier] = before[tier] + 1;
  return after;
}

/**
 * How long a new entry will wait and be computed, milliseconds, when the runner is busy for another `busyMs`.
 * @param ahead what goes before it
 */
export function predictAnswer(ahead: Iterable<Candidate>, busyMs: number, lane: Lane, rows: number): number {
  const queued = new Map<Lane, number>();
  for (const entry of ahead) queued.set(entry.lane, (queued.get(entry.lane) ?? 0) + entry.rows);
  const own = queued.get(lane) ?? 0;
  queued.set(lane, own + rows);
  let total = busyMs;
  for (const [each, sum] of queued) total += timeOfAll(each, sum);
  return total;
}

function timeOfAll(lane: Lane, rows: number): number {
  const full = Math.floor(rows / lane.maxBatch);
  const rest = rows % lane.maxBatch;
  return full * lane.predict(lane.maxBatch) + (rest > 0 ? lane.predict(rest) : 0);
}
