import type { GatePlan } from "../gate/plan.ts";

/**
 * Time is cut into blocks of equal length from the moment the wave opened, so that all devices are measured over
 * the same stretch of time. Each round has its own block length: short blocks show gross faults soon, long ones
 * have room for rare ones.
 */
const SHORTEST_MS = 2_000;
const LONGEST_FIRST_MS = 300_000;
const GROWTH = 8;
const MOST_ROUNDS = 3;

/** Heartbeats that came before the end of a block are stored so soon after it. */
const GRACE_MS = 2_000;

/**
 * Block lengths of a gate, milliseconds: the soak itself, between 2 s and 5 min, then eight and 64 times that as
 * long as it fits into the soak. Heartbeats come in whole, so a block should have room for two.
 */
export function roundsOf(plan: Pick<GatePlan, "soakSeconds">): number[] {
  const soakMs = plan.soakSeconds * 1000;
  const rounds = [Math.min(LONGEST_FIRST_MS, Math.max(SHORTEST_MS, soakMs))];
  for (let next = (rounds[0] ?? 0) * GROWTH; next <= soakMs && rounds.length < MOST_ROUNDS; next *= GROWTH)
    rounds.push(next);
  return rounds;
}

/** Index of the block in which a moment lies. */
export const blockOf = (at: number, openedAt: number, lengthMs: number): number =>
  Math.floor((at - openedAt) / lengthMs);

/** A tick or two, so that a block that is over is also looked at before it is no longer waited for. */
const SLACK_MS = 2_000;

/** Until when a device first heard of at `since` may have its first block compared; later ones are not waited for. */
export const awaitedUntil = (since: number, openedAt: number, lengthMs: number): number =>
  openedAt + (blockOf(since, openedAt, lengthMs) + 2) * lengthMs + GRACE_MS + SLACK_MS;

/** Index of the newest block that is over and stored; -1 before the first. */
export const newestClosed = (now: number, openedAt: number, lengthMs: number): number =>
  Math.max(-1, blockOf(now - GRACE_MS, openedAt, lengthMs) - 1);
