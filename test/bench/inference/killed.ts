import { type Figure, figure, median } from "../figures.ts";
import { serve } from "./box.ts";
import { load } from "./load.ts";
import type { BenchModel } from "./models.ts";
import { requestsOf } from "./requests.ts";

const CLIENTS = 4;
const KILL_EVERY_MS = 1_000;
/** A device would give up a model that crashes once a second. */
const PATIENT = { crashBudget: 1_000, restartMaxSeconds: 0.2 };

/**
 * The runner is killed once a second under load. Clients know the right answer to each of their requests and send
 * again when a connection ends.
 */
export async function killedRunner(tiny: BenchModel, seconds: number): Promise<Figure[]> {
  const served = await serve([tiny], {}, PATIENT);
  const { inference } = served.box;
  const requests = requestsOf(tiny);
  const right = new Map<number, string>();
  let wrong = 0;
  const inspect = (request: number, status: number, body: Buffer) => {
    if (status !== 200) return;
    const scores = body.subarray(-16).toString("hex");
    if (!right.has(request)) right.set(request, scores);
    else if (right.get(request) !== scores) wrong += 1;
  };
  const plan = { socketPath: served.socketPath, requests, clients: CLIENTS, inspect };
  const outages: number[] = [];
  let kills = 0;
  let killed: { pid: number; at: number } | undefined;
  const watch = setInterval(() => {
    const { pid, state } = inference.status();
    if (!killed || pid === null || pid === killed.pid || state !== "ready") return;
    outages.push(performance.now() - killed.at);
    killed = undefined;
  }, 5);
  const kill = setInterval(() => {
    const { pid, state } = inference.status();
    if (pid === null || state !== "ready") return;
    process.kill(pid, "SIGKILL");
    kills += 1;
    killed = { pid, at: performance.now() };
  }, KILL_EVERY_MS);
  try {
    // Alone in its batch a row may round otherwise than in company, so what is right is learned under load too.
    const { answered, refused, lost } = await load({ ...plan, seconds });
    const asked = answered + refused + lost;
    return [
      figure("killed every second: requests answered", (100 * answered) / asked, "%", "higher"),
      figure("killed every second: connections lost", lost, "requests", "lower"),
      figure("killed every second: wrong answers", wrong, "answers", "lower", 0),
      figure("killed every second: kills", kills, "kills", "higher"),
      figure("killed every second: until it serves again, median", median(outages), "ms", "lower"),
    ];
  } finally {
    clearInterval(kill);
    clearInterval(watch);
    await served.close();
  }
}
