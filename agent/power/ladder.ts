/** Place in `POWER_LEVELS`. */
export type Step = 0 | 1 | 2 | 3;

const CRITICAL = 3;

/** A level that rises and falls with delay. Times are monotonic milliseconds. */
export interface Ladder {
  readonly step: Step;
  /** Since when readings ask for a higher, or a lower, step without a break. */
  readonly rising: number | null;
  readonly falling: number | null;
  /** When it fell last, and whether it is still the calm after that fall that counts. */
  readonly fellAt: number | null;
  /** Times that it rose soon after it had fallen: each doubles the wait before it falls. */
  readonly relapses: number;
}

export interface Pace {
  readonly riseMs: number;
  readonly fallMs: number;
  readonly mostRelapses: number;
}

export const GROUND: Ladder = { step: 0, rising: null, falling: null, fellAt: null, relapses: 0 };

/** How long readings must ask for less before the step falls, milliseconds. */
const fallWait = ({ relapses }: Ladder, { fallMs }: Pace): number => fallMs * 2 ** relapses;

/**
 * The step of a value on thresholds with hysteresis: a step that is held is left only when the value is by `slack`
 * below the threshold at which it was entered.
 * @param enter thresholds of steps 1 to 3, rising
 */
export function stepOf(
  value: number,
  enter: readonly [number, number, number],
  slack: number,
  held: Step,
): Step {
  let step: Step = 0;
  for (const each of [1, 2, 3] as const) {
    const threshold = enter[each - 1]! - (each <= held ? slack : 0);
    if (value >= threshold) step = each;
  }
  return step;
}

/**
 * One reading further: up one step once readings ask for it for `riseMs` (at once where they ask for the top step),
 * down one step once they ask for less for `fallMs`. What rises again soon after it fell has to wait twice as long
 * before it falls the next time, so that an action which cures what caused it does not make the level swing.
 */
export function climb(ladder: Ladder, asked: Step, now: number, pace: Pace): Ladder {
  const { step } = ladder;
  if (asked > step) {
    const rising = ladder.rising ?? now;
    if (asked < CRITICAL && now - rising < pace.riseMs) return { ...ladder, rising, falling: null };
    const isRelapse = ladder.fellAt !== null && now - ladder.fellAt < 2 * fallWait(ladder, pace);
    const relapses = isRelapse ? Math.min(ladder.relapses + 1, pace.mostRelapses) : ladder.relapses;
    return { step: (step + 1) as Step, rising: now, falling: null, fellAt: null, relapses };
  }
  if (asked < step) {
    const falling = ladder.falling ?? now;
    if (now - falling < fallWait(ladder, pace)) return { ...ladder, rising: null, falling };
    return { ...ladder, step: (step - 1) as Step, rising: null, falling: now, fellAt: now };
  }
  const isCalm = step === 0 && ladder.fellAt !== null && now - ladder.fellAt >= 4 * fallWait(ladder, pace);
  return isCalm ? GROUND : { ...ladder, rising: null, falling: null };
}
