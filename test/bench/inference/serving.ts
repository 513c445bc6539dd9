import { type Figure, figure, median, quantile } from "../figures.ts";
import { serve } from "./box.ts";
import { load } from "./load.ts";
import type { BenchModel } from "./models.ts";
import { requestsOf } from "./requests.ts";
import { bareRuns, idleServer } from "./yardsticks.ts";

const CLIENTS = 32;
/** A model that is served alone, one row at a time. */
const UNBATCHED = { serving: { batching: { maxBatch: 1 } } };

export interface Measured {
  readonly directory: string;
  /** Length of one trial. */
  readonly seconds: number;
  readonly trials: number;
}

/** Trials of several things by turns, so that a noisy minute hits all of them; the medians. */
async function byTurns<K extends string>(
  trials: number,
  measure: Record<K, () => Promise<number>>,
): Promise<Record<K, number>> {
  const names = Object.keys(measure) as K[];
  const found = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let trial = 0; trial < trials; trial++)
    for (const name of names) found[name].push(await measure[name]());
  return Object.fromEntries(names.map((name) => [name, median(found[name])])) as Record<K, number>;
}

/** One client, convolutions in int8, binary tensors over a Unix socket, beside bare runs of the same. */
export async function oneClient(
  conv: BenchModel,
  { directory, seconds, trials }: Measured,
): Promise<Figure[]> {
  const served = await serve([conv]);
  try {
    const { socketPath } = served;
    const requests = requestsOf(conv);
    await load({ socketPath, requests, clients: 1, seconds: 0.5 });
    const { ours, bare } = await byTurns(trials, {
      ours: async () => quantile((await load({ socketPath, requests, clients: 1, seconds })).latencies, 0.5),
      bare: async () => quantile(await bareRuns(directory, conv, seconds), 0.5),
    });
    return [
      figure("one client, conv int8: p50 over a bare run", ours / bare, "ratio", "lower", 1.5),
      figure("one client, conv int8: p50", ours, "ms", "lower"),
      figure("bare run, conv int8: p50", bare, "ms", "lower"),
    ];
  } finally {
    await served.close();
  }
}

/** Many clients and a model that costs nothing: the price of serving, and what batching saves of it. */
export async function tinyModel(
  tiny: BenchModel,
  { directory, seconds, trials }: Measured,
): Promise<Figure[]> {
  const requests = requestsOf(tiny);
  const batched = await serve([tiny]);
  const single = await serve([tiny], UNBATCHED);
  const rateOf = async (socketPath: string) =>
    (await load({ socketPath, requests, clients: CLIENTS, seconds })).rate;
  try {
    await rateOf(batched.socketPath);
    await rateOf(single.socketPath);
    const rates = await byTurns(trials, {
      batched: () => rateOf(batched.socketPath),
      single: () => rateOf(single.socketPath),
      idle: async () => (await idleServer(directory, tiny, CLIENTS, seconds)).rate,
    });
    return [
      figure(
        "32 clients, tiny: rate over a server without work",
        rates.batched / rates.idle,
        "ratio",
        "higher",
        0.8,
      ),
      figure(
        "32 clients, tiny: rate over the same unbatched",
        rates.batched / rates.single,
        "ratio",
        "higher",
        5,
      ),
      figure("32 clients, tiny: batched", rates.batched, "requests/s", "higher"),
      figure("32 clients, tiny: unbatched", rates.single, "requests/s", "higher"),
      figure("32 clients: server without work", rates.idle, "requests/s", "higher"),
    ];
  } finally {
    await batched.close();
    await single.close();
  }
}

/** Many clients and a model that costs: nothing of the processor may be wasted. */
export async function heavyModel(
  conv: BenchModel,
  { directory, seconds, trials }: Measured,
): Promise<Figure[]> {
  const served = await serve([conv]);
  try {
    const { socketPath } = served;
    const requests = requestsOf(conv);
    await load({ socketPath, requests, clients: CLIENTS, seconds: 0.5 });
    const rates = await byTurns(trials, {
      ours: async () => (await load({ socketPath, requests, clients: CLIENTS, seconds })).rate,
      bare: async () => (await bareRuns(directory, conv, seconds)).length / seconds,
    });
    return [
      figure("32 clients, conv int8: rate over bare runs", rates.ours / rates.bare, "ratio", "higher", 0.9),
      figure("32 clients, conv int8", rates.ours, "requests/s", "higher"),
      figure("bare runs, conv int8", rates.bare, "runs/s", "higher"),
    ];
  } finally {
    await served.close();
  }
}
