import { cpus } from "node:os";
import type { Reading } from "./sensors/sensors.ts";

/** Energy of a millisecond of processor time: the same number as the watts of one busy core. */
export interface EnergyRate {
  /** Null where the box cannot tell. */
  readonly mjPerCpuMs: number | null;
  readonly basis: "measured" | "modelled" | null;
}

export interface EnergyRules {
  readonly idleWatts: number | null;
  readonly wattsPerCore: number | null;
}

/**
 * What a millisecond of processor time costs by one reading: the energy of the box above its idle draw, shared by
 * all processor time that was spent. Where nothing measures, the watts of a core that the owner of the box told.
 * @param spanMs time between this reading and the one before
 * @param busyMs processor time of the whole box in it
 */
export function energyRate(
  { energyMj }: Pick<Reading, "energyMj">,
  spanMs: number,
  busyMs: number,
  { idleWatts, wattsPerCore }: EnergyRules,
): EnergyRate {
  if (energyMj !== null && busyMs > 0) {
    const above = Math.max(0, energyMj - (idleWatts ?? 0) * spanMs);
    return { mjPerCpuMs: above / busyMs, basis: "measured" };
  }
  return wattsPerCore === null
    ? { mjPerCpuMs: null, basis: null }
    : { mjPerCpuMs: wattsPerCore, basis: "modelled" };
}

/** Processor time of the whole box since it started, milliseconds. */
export const busyCpuMs = (): number =>
  cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
