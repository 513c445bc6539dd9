import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * An operator's page in a process of its own, so that the simulator beside it does not count as latency: asks one
 * address after the other with a pause in between. `prober.js URL TOKEN SECONDS PATH…` prints milliseconds by path.
 */
const PAUSE_MS = 50;
const [base = "", token = "", seconds = "0", ...paths] = process.argv.slice(2);
const until = performance.now() + Number(seconds) * 1000;
const latencies: Record<string, number[]> = Object.fromEntries(paths.map((path) => [path, []]));
while (performance.now() < until)
  for (const path of paths) {
    const asked = performance.now();
    const response = await fetch(`${base}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
    latencies[path]?.push(performance.now() - asked);
    await sleep(PAUSE_MS);
  }
console.log(JSON.stringify(latencies));
