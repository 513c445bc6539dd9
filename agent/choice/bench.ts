import type { Measured } from "@muster/shared/protocol/choice";
import type { Agreement } from "../runner/golden.ts";
import type { LoadedModel } from "../runner/model.ts";

/** Fewest timed runs, whatever they take, and most, however quick they are. */
const LEAST_RUNS = 10;
const MOST_RUNS = 1000;

/** The value below which the share `q` (0 to 1) of the sorted values lies: the nearest one of them. */
const nearestRank = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? 0;

const round = (value: number): number => Math.round(value * 1000) / 1000;

/**
 * Times a model that is warm from its golden run, over the golden inputs in turn.
 * @param benchMs time for it, milliseconds; ten runs are made in any case
 */
export async function benchmark(
  model: LoadedModel,
  { inputs }: Pick<Agreement, "inputs">,
  benchMs: number,
): Promise<Pick<Measured, "p50Ms" | "p95Ms" | "cpuMs">> {
  const outputs = model.outputs.map(({ name }) => name);
  const times: number[] = [];
  const before = model.usage().cpuUs;
  const end = performance.now() + benchMs;
  for (let run = 0; run < LEAST_RUNS || (run < MOST_RUNS && performance.now() < end); run++) {
    const start = performance.now();
    await model.run(inputs[run % inputs.length]!, outputs);
    times.push(performance.now() - start);
  }
  const cpuUs = model.usage().cpuUs - before;
  times.sort((a, b) => a - b);
  return {
    p50Ms: round(nearestRank(times, 0.5)),
    p95Ms: round(nearestRank(times, 0.95)),
    cpuMs: round(cpuUs / 1000 / times.length),
  };
}
