import { Worker } from "node:worker_threads";
import { Flight } from "./flight.ts";
import { allTargets } from "./targets/all.ts";
import type { Fault } from "./trial.ts";
import type { Order, Report } from "./worker.ts";

/** How long one input may take, milliseconds; the longest that are taken need a hundredth. */
const HANGING_MS = 20_000;
const MOST_HEAP_MIB = 1024;

/** Tries parsers in a thread of their own: one that hangs or eats all memory is named with its input. */
export async function fuzz(order: Omit<Order, "shared">): Promise<Report> {
  const flight = new Flight();
  const worker = new Worker(new URL("./worker.js", import.meta.url), {
    workerData: { ...order, shared: flight.shared } satisfies Order,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MIB },
  });
  const inFlight = async (what: string): Promise<Fault> => {
    const targets = await allTargets();
    for (const target of targets) target.close?.();
    const target = targets[flight.target]?.name ?? "";
    return { target, what, input: flight.input.toString("base64") };
  };
  return new Promise((resolve) => {
    let seen = -1;
    let since = performance.now();
    const end = (report: Report) => {
      clearInterval(watch);
      resolve(report);
    };
    const watch = setInterval(() => {
      if (flight.number !== seen || flight.number === 0) {
        seen = flight.number;
        since = performance.now();
      } else if (performance.now() - since > HANGING_MS) {
        clearInterval(watch);
        const told = inFlight(`no end within ${HANGING_MS / 1000} s`);
        void worker.terminate().then(async () => end({ counts: [], faults: [await told] }));
      }
    }, 500);
    worker.once("message", end);
    worker.once("error", async (error) =>
      end({ counts: [], faults: [await inFlight(error.stack ?? error.message)] }),
    );
  });
}
