const FIRST_MS = 5_000;
const LONGEST_MS = 900_000;

/** After so long a notification that cannot be delivered is given up, milliseconds. */
export const GIVE_UP_AFTER_MS = 86_400_000;

/**
 * Wait before the next attempt, milliseconds: exponential from 5 s to 15 min, of which a random half is taken away
 * so that receivers are not called in step. What the receiver asks for goes before, up to an hour.
 * @param attempts made so far, at least 1
 * @param random of [0, 1)
 */
export function retryDelay(attempts: number, random: number, retryAfterMs = 0): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempts - 1, 20));
  const jittered = full / 2 + (random * full) / 2;
  return Math.round(Math.max(jittered, Math.min(retryAfterMs, 3_600_000)));
}
