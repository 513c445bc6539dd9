/** When a group leaves its choice for the next, and when it goes back. Times are monotonic milliseconds. */
export interface DescentRules {
  /** Failures within the window that are one too many. */
  readonly budget: number;
  readonly windowMs: number;
  /** First and longest time on a lower choice before the first is tried again; it doubles with each try that failed. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** The same where there is no lower choice left. */
  readonly hopelessMinMs: number;
  readonly hopelessMaxMs: number;
}

/** Where a group stands on its ladder. */
export interface Descent {
  /** Index of the choice; the number of choices when none is left. */
  readonly position: number;
  /** Failures of this choice, within the window. */
  readonly failures: readonly number[];
  /** When something failed last. */
  readonly lastFailureAt: number;
  /**
   * Position to return to at once when the first choice, tried again, fails again; 0 when it is not on trial. Where that
   * is below every choice, each of them gets one try on the way back down.
   */
  readonly trialFrom: number;
  /** Trials in a row that failed. */
  readonly returns: number;
}

export const TOP: Descent = { position: 0, failures: [], lastFailureAt: 0, trialFrom: 0, returns: 0 };

/**
 * The choice of now crashed, hung or could not be started.
 * @param choices number of choices
 */
export function afterFailure(before: Descent, choices: number, rules: DescentRules, at: number): Descent {
  const current = settled(before, rules, at);
  if (current.position >= choices) return { ...current, lastFailureAt: at };
  if (isWalking(current, choices) && current.position + 1 < choices)
    return { ...current, position: current.position + 1, failures: [], lastFailureAt: at };
  if (current.trialFrom > 0)
    return {
      position: current.trialFrom,
      failures: [],
      lastFailureAt: at,
      trialFrom: 0,
      returns: current.returns + 1,
    };
  const failures = [...current.failures.filter((time) => at - time < rules.windowMs), at];
  if (failures.length < rules.budget) return { ...current, failures, lastFailureAt: at };
  return { ...current, position: current.position + 1, failures: [], lastFailureAt: at };
}

/** Nothing was left, and every choice is being tried once more, from the first one down. */
export const isWalking = ({ trialFrom }: Descent, choices: number): boolean => trialFrom >= choices;

/** When the first choice is to be tried again, or undefined while it is what is served. */
export function retryAt(current: Descent, choices: number, rules: DescentRules): number | undefined {
  if (current.position === 0) return undefined;
  const [min, max] =
    current.position < choices
      ? [rules.retryMinMs, rules.retryMaxMs]
      : [rules.hopelessMinMs, rules.hopelessMaxMs];
  return current.lastFailureAt + Math.min(max, min * 2 ** Math.min(current.returns, 40));
}

/** The first choice is served again, on trial. */
export const onTrial = (current: Descent, at: number): Descent => ({
  ...current,
  position: 0,
  failures: [],
  lastFailureAt: at,
  trialFrom: current.position,
});

/** The first choice could not even be started for its trial. */
export const trialFailed = (current: Descent, at: number): Descent => ({
  ...current,
  lastFailureAt: at,
  returns: current.returns + 1,
});

/** A trial that lasted for the window is passed: of the first choice, and everything is as at the beginning. */
function settled(current: Descent, { windowMs }: DescentRules, at: number): Descent {
  return current.trialFrom > 0 && at - current.lastFailureAt >= windowMs
    ? { ...TOP, position: current.position }
    : current;
}
