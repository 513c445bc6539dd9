import { LoadedModel } from "../../models/runtime.ts";
import { type Figure, figure, median, quantile } from "../figures.ts";
import type { BenchModel } from "./models.ts";
import { bareRuns } from "./yardsticks.ts";

/** What int8 gives and takes, beside fp32 on the same inputs. */
export async function precisions(
  { int8, fp32 }: { int8: BenchModel; fp32: BenchModel },
  { directory, seconds, trials }: { directory: string; seconds: number; trials: number },
): Promise<Figure[]> {
  const times: Record<"int8" | "fp32", number[]> = { int8: [], fp32: [] };
  for (let trial = 0; trial < trials; trial++)
    for (const model of [int8, fp32])
      times[model.precision].push(quantile(await bareRuns(directory, model, seconds), 0.5));
  const name = int8.name.replace(/-int8$/, "");
  return [
    figure(`${name}: fp32 time over int8`, median(times.fp32) / median(times.int8), "ratio", "higher"),
    figure(`${name}: int8`, median(times.int8), "ms", "lower"),
    figure(`${name}: fp32`, median(times.fp32), "ms", "lower"),
    figure(`${name}: fp32 size over int8`, fp32.bytes.length / int8.bytes.length, "ratio", "higher"),
    figure(`${name}: same class`, 100 * (await agreement(int8, fp32)), "%", "higher"),
  ];
}

async function agreement(a: BenchModel, b: BenchModel): Promise<number> {
  const [left, right] = [await classesOf(a), await classesOf(b)];
  return left.filter((index, row) => index === right[row]).length / left.length;
}

async function classesOf({ bytes, dims, rows }: BenchModel): Promise<number[]> {
  const model = await LoadedModel.load(bytes, dims);
  try {
    const classes: number[] = [];
    for (const row of rows) {
      const scores = await model.run(row);
      classes.push(scores.indexOf(Math.max(...scores)));
    }
    return classes;
  } finally {
    await model.close();
  }
}
