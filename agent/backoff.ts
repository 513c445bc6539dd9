export interface BackoffRule {
  /** Ceiling of the first wait, milliseconds; it doubles with each failed try. */
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * Full jitter: a random wait between 0 and a ceiling that doubles with each failed try.
 * @param failedTries counted from 1
 * @param random a number from 0 to 1
 * @returns milliseconds
 */
export const fullJitter = (rule: BackoffRule, failedTries: number, random: number): number =>
  Math.round(random * Math.min(rule.maxMs, rule.minMs * 2 ** Math.min(Math.max(failedTries - 1, 0), 40)));
