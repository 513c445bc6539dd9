import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Plant } from "../../plant/plant.ts";
import { until } from "../../plant/wait.ts";
import { figure, isQuick, median, printFigures } from "../figures.ts";
import { bareSeconds } from "./bare.ts";
import { fillOutbox, oneByOne } from "./results.ts";

/**
 * Results per second from one agent's outbox through the embedded broker into SQLite, beside the bare broker that
 * parses and stores nothing: with the very payloads that the agent sends (500 results each), and with each result
 * in a message of its own. All go over mutual TLS between two processes; trials alternate.
 */
const RESULTS = isQuick ? 20_000 : 100_000;
const SINGLES = isQuick ? 10_000 : 50_000;
const TRIALS = isQuick ? 2 : 5;
/** Batches on the way without an acknowledgement, as many as the agent allows; the same number of results singly. */
const WINDOW = 8;
const SINGLE_WINDOW = WINDOW * 500;

const plant = new Plant();
const stored = async () => (await plant.reported()).storedResults;

/** Seconds from the first result that is seen stored to the last, scaled to all of them. */
async function oursSeconds(before: number): Promise<number> {
  plant.startDevice();
  const begun = await until("the first result", 30_000, async () => (await stored()) > before || undefined, 5)
    .then(stored)
    .then((count) => ({ count, at: performance.now() }));
  const goal = before + RESULTS;
  await until(
    `${RESULTS} results to be stored`,
    120_000,
    async () => (await stored()) >= goal || undefined,
    20,
  );
  const seconds = (performance.now() - begun.at) / 1000;
  return (seconds * RESULTS) / (goal - begun.count);
}

try {
  await plant.start();
  await sleep(500);
  const ours: number[] = [];
  const bare: number[] = [];
  const singly: number[] = [];
  for (let trial = 0; trial < TRIALS; trial++) {
    await plant.device.stop();
    const payloads = fillOutbox(plant.device.dataDirectory, RESULTS);
    const log = join(plant.directory, "logs", "bare-broker.log");
    const identity = join(plant.device.dataDirectory, "identity");
    const ca = join(plant.controlPlane.dataDirectory, "ca");
    bare.push(await bareSeconds(payloads, WINDOW, ca, identity, log));
    singly.push(await bareSeconds(oneByOne(payloads, SINGLES), SINGLE_WINDOW, ca, identity, log));
    ours.push(await oursSeconds(await stored()));
  }
  const rates = {
    ours: RESULTS / median(ours),
    bare: RESULTS / median(bare),
    singly: SINGLES / median(singly),
  };
  printFigures("path", [
    figure("ours over bare broker, same batches", rates.ours / rates.bare, "ratio", "higher", 0.7),
    figure("ours over bare broker, a result a message", rates.ours / rates.singly, "ratio", "higher"),
    figure("ours", rates.ours, "results/s", "higher"),
    figure("bare broker, same batches", rates.bare, "results/s", "higher"),
    figure("bare broker, a result a message", rates.singly, "results/s", "higher"),
  ]);
} finally {
  await plant.stop();
}
