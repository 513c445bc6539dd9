import type { Monitor } from "@muster/shared/protocol/serving/monitoring";

/** A window that never gets its samples ends after so many times its length: its counts still add up elsewhere. */
const LONGEST = 12;

/**
 * Whether a window is over: its time has passed and it has the samples to be judged. One in which nothing came goes
 * on, since there is nothing to tell.
 * @param ageMs time since it began, milliseconds
 */
export function isOver(
  { windowSeconds, minSamples }: Monitor,
  ageMs: number,
  { samples, rejected }: { samples: number; rejected: number },
): boolean {
  const lengthMs = windowSeconds * 1000;
  if (samples + rejected === 0 || ageMs < lengthMs) return false;
  return samples >= minSamples || ageMs >= LONGEST * lengthMs;
}
