import type { BoxPower } from "./box-power.ts";

/** How the governor judges this box: the one place of its defaults. */
export interface PowerRules {
  readonly maxTemperatureC: number;
  readonly budgetWatts: number | null;
  readonly saveBelowPercent: number;
  readonly bestEffortPerSecond: number;
  readonly observeOnly: boolean;
  /** How long a reading must ask for more before the level rises by one, milliseconds. */
  readonly riseMs: number;
  /** How long readings must ask for less before the level falls by one, milliseconds. */
  readonly fallMs: number;
  /** Longest wait for the sensors; what has not answered by then tells nothing, milliseconds. */
  readonly silenceMs: number;
  /** Each relapse doubles `fallMs`, so often at most. */
  readonly mostRelapses: number;
}

export const DEFAULT_POWER_RULES: PowerRules = {
  maxTemperatureC: 90,
  budgetWatts: null,
  saveBelowPercent: 50,
  bestEffortPerSecond: 5,
  observeOnly: false,
  riseMs: 10_000,
  fallMs: 60_000,
  silenceMs: 10_000,
  mostRelapses: 4,
};

export const powerRules = (box: BoxPower | undefined): PowerRules => ({
  ...DEFAULT_POWER_RULES,
  ...(box?.maxTemperatureC !== undefined && { maxTemperatureC: box.maxTemperatureC }),
  ...(box?.budgetWatts !== undefined && { budgetWatts: box.budgetWatts }),
  ...(box?.saveBelowPercent !== undefined && { saveBelowPercent: box.saveBelowPercent }),
  ...(box?.bestEffortPerSecond !== undefined && { bestEffortPerSecond: box.bestEffortPerSecond }),
  ...(box?.observeOnly !== undefined && { observeOnly: box.observeOnly }),
});
