import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { Flight } from "./flight.ts";
import { allTargets } from "./targets/all.ts";
import { type Count, type Fault, Trial } from "./trial.ts";

/** Order of the main thread to this one. */
export interface Order {
  readonly seed: number;
  readonly seconds: number;
  /** Inputs for each target, where that and not the time is to end it. */
  readonly inputs: number | undefined;
  /** Part of the names of the targets that are tried; all without it. */
  readonly only: string | undefined;
  /** Tried in place of made ones, base64. */
  readonly input: string | undefined;
  readonly shared: SharedArrayBuffer;
}

export interface Report {
  readonly counts: readonly Count[];
  readonly faults: readonly Fault[];
}

const SLICE_MS = 100;
/** Growth that no input of these sizes can ask for, and that no cache may reach. */
const MOST_GROWTH_BYTES = 512 * 1024 * 1024;

const order = workerData as Order;
const flight = new Flight(order.shared);
const targets = await allTargets();
const trials = targets
  .map((target, number) => ({ number, trial: new Trial(target, order.seed) }))
  .filter(({ trial }) => order.only === undefined || trial.target.name.includes(order.only));
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const before = inUse();
const rssBefore = process.memoryUsage().rss;

async function tryOne(number: number, trial: Trial, input: Buffer): Promise<void> {
  flight.begin(number, input);
  await trial.take(input);
}

async function slice(number: number, trial: Trial): Promise<void> {
  const end = performance.now() + SLICE_MS;
  do {
    if (order.inputs !== undefined && trial.count.inputs >= order.inputs) return;
    await tryOne(number, trial, trial.make());
  } while (performance.now() < end);
}

/** Bytes in use once all garbage is gone. */
function inUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Growth of the process in the slices of each target. */
const growth = new Map<Trial, number>();

/** Blames the target in whose slices the process has grown most. */
function requireBounded(trial: Trial, rssAtStart: number): void {
  const { rss } = process.memoryUsage();
  growth.set(trial, (growth.get(trial) ?? 0) + rss - rssAtStart);
  if (rss - rssBefore < MOST_GROWTH_BYTES) return;
  const grown = inUse() - before;
  if (grown < MOST_GROWTH_BYTES) return;
  const [[most] = [trial]] = [...growth].sort(([, a], [, b]) => b - a);
  const input = most === trial ? flight.input : Buffer.alloc(0);
  most.blame("memory", `the process keeps ${Math.round(grown / 1024 ** 2)} MiB`, input);
}

const isDone = (started: number): boolean =>
  order.inputs === undefined
    ? performance.now() - started > order.seconds * 1000
    : trials.every(({ trial }) => trial.count.inputs >= (order.inputs ?? 0));

if (order.input !== undefined)
  for (const { number, trial } of trials) await tryOne(number, trial, Buffer.from(order.input, "base64"));
else
  for (const started = performance.now(); !isDone(started); )
    for (const { number, trial } of trials) {
      const { rss } = process.memoryUsage();
      await slice(number, trial);
      requireBounded(trial, rss);
      if (order.inputs === undefined && isDone(started)) break;
    }
for (const target of targets) target.close?.();
parentPort?.postMessage({
  counts: trials.map(({ trial }) => trial.count),
  faults: trials.flatMap(({ trial }) => [...trial.faults.values()]),
} satisfies Report);
