/**
 * Full jitter: a random wait between 0 and a ceiling that doubles with each failed try.
 * @param random a number in [0, 1)
 * @returns milliseconds
 */
export function fullJitter(
  failedTries: number,
  random: number,
  limits: { backoffBaseMs: number; backoffMaxMs: number },
): number {
  const ceiling = Math.min(
    limits.backoffMaxMs,
    limits.backoffBaseMs * 2 ** Math.min(Math.max(failedTries - 1, 0), 30),
  );
  return Math.round(random * ceiling);
}
