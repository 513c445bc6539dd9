import type { Pace } from "../plan.ts";

/**
 * Devices that might have been told at a moment. What it brings later follows from it and the plan, so it is
 * stored only when devices are told, and a restart neither adds nor loses any.
 */
export interface PaceState {
  /** Devices; what is left of a whole one counts towards the next. */
  credit: number;
  /** Milliseconds since the epoch. */
  at: number;
}

export interface PaceInput {
  pace: Pace | null;
  state: PaceState | null;
  notified: number;
  succeeded: number;
  tickMs: number;
  now: number;
}

const MINUTE = 60_000;
/** What sums of binary fractions may lack of a whole device. */
const ROUNDING = 1e-9;

/** Devices a minute after so many were told and succeeded: what AWS IoT Jobs calls a rollout rate. */
function ratePerMinute({ maximumPerMinute, exponential }: Pace, notified: number, succeeded: number): number {
  if (!exponential) return maximumPerMinute;
  const { baseRatePerMinute, incrementFactor, increaseAfter } = exponential;
  const steps =
    "notified" in increaseAfter
      ? Math.floor(notified / increaseAfter.notified)
      : Math.floor(succeeded / increaseAfter.succeeded);
  return Math.min(maximumPerMinute, baseRatePerMinute * incrementFactor ** steps);
}

/**
 * The devices that the pace allows in one call. Credit comes in at the rate and is kept up to what one tick
 * brings and less than one device more, so time in which nobody could be told is no reserve for later.
 */
export class PaceBudget {
  /** Devices that may be told now. */
  readonly devices: number;
  readonly #input: PaceInput;
  readonly #perMs: number;
  readonly #credit: number;

  constructor(input: PaceInput) {
    this.#input = input;
    const { pace, state, notified, succeeded, tickMs, now } = input;
    this.#perMs = pace ? ratePerMinute(pace, notified, succeeded) / MINUTE : Number.POSITIVE_INFINITY;
    const burst = Math.max(1, this.#perMs * tickMs);
    // A state of a time that is still to come was kept by a clock that was put back since.
    const kept = state && state.at - now <= tickMs ? state : null;
    const brought = kept ? kept.credit + this.#perMs * Math.max(0, now - kept.at) : burst;
    this.#credit = Math.min(brought, this.#perMs * tickMs + 1, Number.MAX_SAFE_INTEGER);
    this.devices = pace
      ? Math.min(Math.floor(this.#credit + ROUNDING), Math.ceil(burst))
      : Number.POSITIVE_INFINITY;
  }

  /** The state after `told` devices were told; the same object where none was. */
  after(told: number): PaceState | null {
    const { pace, state, now } = this.#input;
    if (!pace) return null;
    return told === 0 ? state : { credit: Math.max(0, this.#credit - told), at: now };
  }

  /** When one more device may be told after `told` of them, milliseconds since the epoch. */
  nextAt(told: number): number {
    const { now, tickMs } = this.#input;
    const lacking = 1 - ROUNDING - (this.#credit - told);
    return lacking <= 0 ? now + tickMs : now + Math.ceil(lacking / this.#perMs);
  }
}
