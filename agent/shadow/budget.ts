/**
 * Processor time that a candidate may use, as a bucket of microseconds that fills at a share of one core. It may be
 * overdrawn by what is on its way; then nothing begins until it is positive again, so that the share holds over time.
 */
export interface Budget {
  /** Microseconds that fill in a millisecond. */
  readonly rate: number;
  readonly tokensUs: number;
  /** When `tokensUs` was right, monotonic milliseconds. */
  readonly at: number;
  /** What one request took lately, microseconds. */
  readonly costUs: number;
}

/** What may be saved up while there is no traffic, milliseconds of filling. */
const SAVED_MS = 1000;
/** Weight of the newest request in what one takes. */
const NEWEST = 0.2;

/** A full bucket. @param cpuPercent of one core; @param now monotonic milliseconds */
export function openBudget(cpuPercent: number, now: number): Budget {
  const rate = (cpuPercent / 100) * 1000;
  return { rate, tokensUs: rate * SAVED_MS, at: now, costUs: 0 };
}

export function refill(budget: Budget, now: number): Budget {
  const { rate, tokensUs, at } = budget;
  const gained = Math.max(0, now - at) * rate;
  return { ...budget, tokensUs: Math.min(rate * SAVED_MS, tokensUs + gained), at: Math.max(at, now) };
}

/** The bucket once a request more has begun, its usual cost set aside; undefined while it is overdrawn. */
export function begin(budget: Budget, now: number): Budget | undefined {
  const filled = refill(budget, now);
  return filled.tokensUs <= 0 ? undefined : { ...filled, tokensUs: filled.tokensUs - filled.costUs };
}

/** The bucket once a request has ended: what it took counts in place of what was set aside. */
export function settle(budget: Budget, setAsideUs: number, usedUs: number): Budget {
  const costUs = budget.costUs === 0 ? usedUs : budget.costUs + NEWEST * (usedUs - budget.costUs);
  return { ...budget, tokensUs: budget.tokensUs + setAsideUs - usedUs, costUs };
}
