import { type Figure, figure, quantile } from "../figures.ts";
import { cpuSeconds } from "../proc.ts";
import { serve } from "./box.ts";
import { load } from "./load.ts";
import type { BenchModel } from "./models.ts";
import { requestsOf } from "./requests.ts";

const FRAMES_PER_SECOND = 30;

/** A camera's pace: what a runner costs while it mostly waits. */
export async function stream(conv: BenchModel, seconds: number): Promise<Figure[]> {
  const served = await serve([conv]);
  try {
    const { pid } = served.box.inference.status();
    if (pid === null) throw new Error("there is no runner");
    const plan = { socketPath: served.socketPath, requests: requestsOf(conv), clients: 1 };
    await load({ ...plan, perSecond: FRAMES_PER_SECOND, seconds: 2 });
    const before = cpuSeconds(pid);
    const started = performance.now();
    const { latencies } = await load({ ...plan, perSecond: FRAMES_PER_SECOND, seconds });
    const share = (100_000 * (cpuSeconds(pid) - before)) / (performance.now() - started);
    return [
      figure("30 Hz stream, conv int8: share of a core", share, "%", "lower", 6),
      figure("30 Hz stream, conv int8: p50", quantile(latencies, 0.5), "ms", "lower"),
      figure("30 Hz stream, conv int8: p99", quantile(latencies, 0.99), "ms", "lower"),
    ];
  } finally {
    await served.close();
  }
}
