import { AT, type Sums } from "../health/sums.ts";
import type { Rate } from "./tariff.ts";

/** Energy, processor time and what they came to. */
export interface Usage {
  inferences: number;
  /** Of inferences whose energy is known. */
  energyInferences: number;
  energyMj: number;
  /** Part of `energyMj` that was modelled, not measured. */
  modelledMj: number;
  cpuMs: number;
  /** In the currency of the factors; energy without a price is left out, see `pricedMj`. */
  cost: number;
  pricedMj: number;
  /** Grams of CO2 equivalents. */
  grams: number;
  gramsMj: number;
}

const MJ_PER_KWH = 3_600_000_000;

export const noUsage = (): Usage => ({
  ...{ inferences: 0, energyInferences: 0, energyMj: 0, modelledMj: 0, cpuMs: 0 },
  ...{ cost: 0, pricedMj: 0, grams: 0, gramsMj: 0 },
});

/** Usage of sums, without what it came to. */
export const usageOf = (sums: Sums): Usage => ({
  ...noUsage(),
  inferences: sums[AT.inferences]!,
  energyInferences: sums[AT.energyInferences]!,
  energyMj: sums[AT.energyMj]!,
  modelledMj: sums[AT.modelledMj]!,
  cpuMs: sums[AT.cpuMs]!,
});

/** The same with what it came to at one rate. */
export function priced(usage: Usage, { costPerKwh, gramsPerKwh }: Rate): Usage {
  const kwh = usage.energyMj / MJ_PER_KWH;
  return {
    ...usage,
    ...(costPerKwh !== null && { cost: kwh * costPerKwh, pricedMj: usage.energyMj }),
    ...(gramsPerKwh !== null && { grams: kwh * gramsPerKwh, gramsMj: usage.energyMj }),
  };
}

/** What a kilowatt hour came to in the mean. */
export const rateOf = ({ cost, pricedMj, grams, gramsMj }: Usage): Rate => ({
  costPerKwh: ratio(cost, pricedMj, MJ_PER_KWH),
  gramsPerKwh: ratio(grams, gramsMj, MJ_PER_KWH),
});

const MEMBERS = Object.keys(noUsage()) as (keyof Usage)[];

/** `a` and `times` times `b`. */
export function addUsage(a: Usage, b: Usage, times = 1): Usage {
  const sum = noUsage();
  for (const member of MEMBERS) sum[member] = a[member] + times * b[member];
  return sum;
}

/** Usage as it is told. Null where there is nothing to divide by or nobody told a factor. */
export interface UsageFigures {
  inferences: number;
  energyWh: number | null;
  /** Part of the inferences whose energy is known, and of the energy that is modelled, percent. */
  knownPercent: number | null;
  modelledPercent: number | null;
  cpuSeconds: number;
  cost: number | null;
  gramsCo2: number | null;
  /** Of 1,000 inferences; cost and carbon of those whose energy, price and carbon are known. */
  per1000: { wh: number | null; cpuSeconds: number | null; cost: number | null; gramsCo2: number | null };
}

const ratio = (part: number, whole: number, by: number): number | null =>
  whole > 0 ? (by * part) / whole : null;

export function figuresOfUsage(usage: Usage): UsageFigures {
  const { inferences, energyInferences, energyMj, modelledMj, cpuMs, cost, pricedMj, grams, gramsMj } = usage;
  const isKnown = energyInferences > 0;
  const wh = ratio(energyMj / 3_600_000, energyInferences, 1000);
  // What a part of the energy came to stands for the other part.
  const whole = (value: number, of: number) => (wh === null ? null : ratio(value, of, wh * 3_600_000));
  return {
    inferences,
    energyWh: isKnown ? energyMj / 3_600_000 : null,
    knownPercent: ratio(energyInferences, inferences, 100),
    modelledPercent: ratio(modelledMj, energyMj, 100),
    cpuSeconds: cpuMs / 1000,
    cost: pricedMj > 0 ? cost : null,
    gramsCo2: gramsMj > 0 ? grams : null,
    per1000: {
      wh,
      cpuSeconds: ratio(cpuMs / 1000, inferences, 1000),
      cost: whole(cost, pricedMj),
      gramsCo2: whole(grams, gramsMj),
    },
  };
}
