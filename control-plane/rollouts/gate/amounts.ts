import type { ConditionView } from "./views.ts";

const UNITS: Record<ConditionView["unit"], string> = {
  percent: " %",
  ms: " ms",
  psi: " PSI",
  inferences: " inferences",
  seconds: " s",
};

/** A number with its unit for a sentence, to three digits or so: `0.52 %`, `28 ms`. */
export const amount = (value: number, unit: ConditionView["unit"]): string => `${plain(value)}${UNITS[unit]}`;

export function plain(value: number): string {
  const size = Math.abs(value);
  if (size < 1) return String(Number(value.toPrecision(3)));
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}

export const percentOf = (part: number, whole: number): number => (whole === 0 ? 0 : (100 * part) / whole);
