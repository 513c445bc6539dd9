import { setTimeout as sleep } from "node:timers/promises";
import { type Figure, figure, median, quantile } from "../figures.ts";
import { serve } from "./box.ts";
import { load } from "./load.ts";
import type { BenchModel } from "./models.ts";
import { requestsOf } from "./requests.ts";
import type { Measured } from "./serving.ts";

const PER_SECOND = 100;
const SAMPLE_PERCENT = 10;
/** Of a core: enough for every sample of this load. */
const CPU_PERCENT = 50;
const MOST_BYTES = 1024 * 1024;

/** Live requests at a steady pace, by turns alone and with a candidate that computes a tenth of them too. */
export async function shadowed(conv: BenchModel, { seconds, trials }: Measured): Promise<Figure[]> {
  const served = await serve([conv]);
  const { box, socketPath } = served;
  const plan = { socketPath, requests: requestsOf(conv), clients: 2, perSecond: PER_SECOND, seconds };
  const p99 = async () => quantile((await load(plan)).latencies, 0.99);
  try {
    const model = await box.model(conv.name, conv.bytes, [...conv.golden]);
    const prepared = await box.inference.prepare(box.deployment([model], 2));
    const rule = { samplePercent: SAMPLE_PERCENT, cpuPercent: CPU_PERCENT };
    const order = { rule, mostBytes: MOST_BYTES, directory: box.directory };
    await load(plan);
    const alone: number[] = [];
    const beside: number[] = [];
    let compared = 0;
    for (let trial = 0; trial < trials; trial++) {
      alone.push(await p99());
      const run = await box.inference.shadow(prepared, order);
      beside.push(await p99());
      await sleep(200);
      for (const tally of run.tallies()) compared += tally.compared;
      await run.stop();
    }
    const asked = PER_SECOND * seconds * trials;
    return [
      figure(
        "shadow at 10 %: live p99 over p99 alone",
        median(beside) / median(alone),
        "ratio",
        "lower",
        1.1,
      ),
      figure("shadow at 10 %: live p99", median(beside), "ms", "lower"),
      figure("shadow at 10 %: requests compared", (100 * compared) / asked, "%", "higher"),
    ];
  } finally {
    await served.close();
  }
}
