import type { Liveness } from "../fleet/liveness.ts";
import type { ScoredDevice } from "./book.ts";
import type { ReasonCode } from "./device-health.ts";

/** How many devices lack something, and what it costs them together. */
export interface ReasonTally {
  code: ReasonCode;
  devices: number;
  points: number;
}

/** Some devices together. */
export interface Tally {
  devices: number;
  liveness: Record<Liveness, number>;
  /** 0 to 100; null without a device. See `groupScore`. */
  score: number | null;
  /** Devices by score: 90 and more, 70 to 89, 40 to 69, below 40. */
  scores: { good: number; fair: number; poor: number; bad: number };
  /** What costs most first. */
  reasons: ReasonTally[];
}

/** Part of the devices that the score of a group is of: the worst ones. */
const WORST_PART = 0.25;

/**
 * Score of a group of devices: the mean of its worst quarter, rounded up to whole devices. Healthy devices cannot
 * hide those that fail, as they would in a mean over all; and where there are few devices it is the score of the
 * worst one or two, which is why a group always tells how many it has. Null without a device.
 */
export function groupScore(devices: readonly ScoredDevice[]): number | null {
  if (devices.length === 0) return null;
  // Counted by score instead of sorted: ten thousand devices are looked at for many groups.
  const byScore = new Array<number>(101).fill(0);
  for (const { health } of devices) byScore[health.score]! += 1;
  const worst = Math.ceil(devices.length * WORST_PART);
  let left = worst;
  let sum = 0;
  for (let score = 0; left > 0; score += 1) {
    const count = Math.min(left, byScore[score]!);
    sum += count * score;
    left -= count;
  }
  return Math.round(sum / worst);
}

export function tallyOf(devices: readonly ScoredDevice[]): Tally {
  const liveness = { online: 0, late: 0, offline: 0, flapping: 0 };
  const scores = { good: 0, fair: 0, poor: 0, bad: 0 };
  const reasons = new Map<ReasonCode, ReasonTally>();
  for (const { device, health } of devices) {
    liveness[device.liveness] += 1;
    const { score } = health;
    scores[score >= 90 ? "good" : score >= 70 ? "fair" : score >= 40 ? "poor" : "bad"] += 1;
    for (const { code, points } of health.reasons) {
      const known = reasons.get(code);
      if (known) {
        known.devices += 1;
        known.points += points;
      } else reasons.set(code, { code, devices: 1, points });
    }
  }
  return {
    devices: devices.length,
    liveness,
    score: groupScore(devices),
    scores,
    reasons: [...reasons.values()].sort((a, b) => b.points - a.points),
  };
}
