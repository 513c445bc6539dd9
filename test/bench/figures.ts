/** One measured figure; ratios carry the unit `ratio`. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  better: "higher" | "lower";
  aim?: number;
}

export const figure = (
  name: string,
  value: number,
  unit: string,
  better: Figure["better"],
  aim?: number,
): Figure => ({
  name,
  value: Number(value.toPrecision(4)),
  unit,
  better,
  ...(aim === undefined ? {} : { aim }),
});

/** A table for people on stderr, and the figures as one JSON line, the last on stdout. */
export function printFigures(bench: string, figures: readonly Figure[]): void {
  for (const { name, value, unit, better, aim } of figures) {
    const goal = aim === undefined ? "" : `  (aim: ${better === "higher" ? "at least" : "at most"} ${aim})`;
    console.error(`${name.padEnd(44)} ${String(value).padStart(10)} ${unit}${goal}`);
  }
  console.log(JSON.stringify({ bench, figures }));
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

/** Smallest value that at least `share` of the values do not exceed. */
export const quantile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
};

export const isQuick = process.argv.includes("--quick");
