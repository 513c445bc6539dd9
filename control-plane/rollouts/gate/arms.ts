import { psi, psiThreshold } from "@muster/shared/stats/psi";
import type { Arms } from "../exposure/exposures.ts";
import { addSums, confidenceOf, noSums, type Sums } from "../exposure/sums.ts";
import { MEASURES } from "./measures.ts";
import type { GatePlan, Metric } from "./plan.ts";

/** Sums of the updated devices of all hardware classes. */
export function updatedOf(arms: ReadonlyMap<string, Arms>): Sums {
  const sums = noSums();
  for (const { updated } of arms.values()) addSums(sums, updated);
  return sums;
}

/** One hardware class by itself. */
export function onlyOf(arms: ReadonlyMap<string, Arms>, hardwareClass: string): ReadonlyMap<string, Arms> {
  const pair = arms.get(hardwareClass);
  return new Map(pair ? [[hardwareClass, pair]] : []);
}

/**
 * Both arms on the hardware classes that have measured the metric in both, the controls weighted to the classes of
 * the updated devices: a wave with more slow boxes than the rest of the fleet is not slower for that. Undefined
 * where no class has both.
 */
export function comparable(arms: ReadonlyMap<string, Arms>, metric: Metric): Arms | undefined {
  const { ground } = MEASURES[metric];
  const updated = noSums();
  const control = noSums();
  let found = false;
  for (const pair of arms.values()) {
    const there = ground(pair.control);
    if (there === 0 || ground(pair.updated) === 0) continue;
    found = true;
    addSums(updated, pair.updated);
    addSums(control, pair.control, ground(pair.updated) / there);
  }
  return found ? { updated, control } : undefined;
}

export interface Drift {
  psi: number;
  /** What chance alone exceeds in one of so many looks as `falseAlarmPercent` says. */
  threshold: number;
}

/**
 * How far the confidence of the updated devices has moved from that of the others, for the hardware class on which
 * it has moved furthest beyond chance (Bonferroni over the classes); undefined without both arms.
 */
export function driftOf(arms: ReadonlyMap<string, Arms>, plan: GatePlan): Drift | undefined {
  const { ground } = MEASURES.drift;
  const pairs = [...arms.values()].filter(
    ({ updated, control }) => ground(updated) > 0 && ground(control) > 0,
  );
  const alpha = plan.falseAlarmPercent / 100 / Math.max(1, pairs.length);
  return pairs
    .map(({ updated, control }) => ({
      psi: psi(confidenceOf(updated), confidenceOf(control)),
      threshold: psiThreshold(confidenceOf(updated), confidenceOf(control), alpha),
    }))
    .sort((a, b) => b.psi - b.threshold - (a.psi - a.threshold))
    .at(0);
}
