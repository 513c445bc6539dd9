import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { DEFAULT_CLASSES } from "../../../simulator/fleet/layout.ts";
import { TRIALS, type Trial } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { type Outcome, play } from "./trial.ts";

const SIZE = { devices: 1_000, sites: 100 };

interface Share {
  seeds: number[];
  quick: boolean;
}

/** A quick series plays two bad releases with each seed, in turn, and a good one with every second seed. */
function trialsOf(seed: number, quick: boolean): readonly Trial[] {
  if (!quick) return TRIALS;
  const bad = TRIALS.filter(({ fault }) => fault !== undefined);
  const good = TRIALS.filter(({ fault }) => fault === undefined && seed % 2 === 0);
  return [...bad.filter((_, index) => index % 5 === seed % 5), ...good];
}

async function playSeed(seed: number, quick: boolean): Promise<Outcome[]> {
  const fleet = await Fleet.open(SIZE, DEFAULT_CLASSES, seed);
  try {
    const outcomes: Outcome[] = [];
    for (const [index, trial] of trialsOf(seed, quick).entries())
      outcomes.push(await play(fleet, trial, index + 2));
    if (fleet.world.logged.length > 0) throw new Error(fleet.world.logged.join("\n"));
    return outcomes;
  } finally {
    await fleet.close();
  }
}

/**
 * Plays all trials with seeds 1 to `seeds`, on all cores.
 * @param onSeed told the number of seeds done
 */
export async function playSeries(
  seeds: number,
  quick: boolean,
  onSeed: (done: number) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let done = 0;
  const workers = Math.min(seeds, availableParallelism());
  const share = async (worker: number): Promise<void> => {
    const mine = Array.from({ length: seeds }, (_, index) => index + 1).filter(
      (seed) => seed % workers === worker,
    );
    const thread = new Worker(fileURLToPath(import.meta.url), {
      workerData: { seeds: mine, quick } satisfies Share,
    });
    await new Promise<void>((resolve, reject) => {
      thread.on("message", (played: Outcome[]) => {
        outcomes.push(...played);
        done += 1;
        onSeed(done);
      });
      thread.on("error", reject);
      thread.on("exit", () => resolve());
    });
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => share(worker)));
  return outcomes;
}

if (!isMainThread && parentPort) {
  const { seeds, quick } = workerData as Share;
  for (const seed of seeds) parentPort.postMessage(await playSeed(seed, quick));
}
