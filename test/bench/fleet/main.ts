import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { seededRandom } from "../../models/training/random.ts";
import { Process } from "../../plant/process.ts";
import { Console, liveLine } from "../../simulator/console.ts";
import { deviceSettings } from "../../simulator/device-settings.ts";
import { bringOnline } from "../../simulator/scenario/run.ts";
import { prepareSimulation, type Simulation } from "../../simulator/simulation.ts";
import { figure, isQuick, printFigures, quantile } from "../figures.ts";
import { MeasuredPlane } from "../measured-plane.ts";
import { flood } from "./flood.ts";
import { viewAges } from "./view-age.ts";

/**
 * What a fleet costs its control plane while nothing goes wrong: simulated devices with a heartbeat every 30 s and
 * telemetry every 60 s beside it on the same machine. Then how much of the same traffic it takes at most, against
 * the bare broker that parses and stores nothing. The quick run has a small fleet that talks more often.
 */
const DEVICES = isQuick ? 200 : 10_000;
const SITES = isQuick ? 10 : 400;
const HEARTBEAT_SECONDS = isQuick ? 3 : 30;
const SETTLE_SECONDS = isQuick ? 2 : 60;
const MEASURE_SECONDS = isQuick ? 6 : 60;
const FLOODING = isQuick ? 100 : 1_500;
const FLOOD = isQuick ? { warmUpSeconds: 1, seconds: 3 } : { warmUpSeconds: 3, seconds: 12 };
/** Messages a second of 10,000 devices with a heartbeat every 30 s and a batch every 60 s. */
const NEEDED = 10_000 / 30 + 10_000 / 60;
const TRIALS = isQuick ? 1 : 3;
/** What an operator's page and a script ask for. */
const PATHS = [
  "/devices?limit=100",
  "/devices?limit=100&liveness=online",
  "/devices?limit=100&site=eu%2Fde",
  `/devices?limit=100&selector=${encodeURIComponent("class=linux-arm64-cuda,line in (line-1,line-2)")}`,
  "/sites",
  "/fleet",
];

const directory = mkdtempSync(join(tmpdir(), "muster-bench-fleet-"));
const plane = new MeasuredPlane(directory, isQuick ? { heartbeatIntervalMs: HEARTBEAT_SECONDS * 1000 } : {});
const people = new Console(process.stderr);
const run = promisify(execFile);

async function probe({ operatorUrl, operatorToken }: Simulation["plane"]): Promise<Record<string, number[]>> {
  const script = fileURLToPath(new URL("./prober.js", import.meta.url));
  const args = [script, operatorUrl, operatorToken, String(MEASURE_SECONDS), ...PATHS];
  const { stdout } = await run(process.execPath, args, { maxBuffer: 64 * 1024 ** 2 });
  return JSON.parse(stdout) as Record<string, number[]>;
}

async function floods(simulation: Simulation): Promise<{ ours: number; bare: number }> {
  const identities = simulation.swarm.actors.slice(0, FLOODING).map(({ identity }) => identity);
  const { broker } = simulation.ports;
  const rates = { ours: [] as number[], bare: [] as number[] };
  const bare = new Process(
    "the bare broker",
    fileURLToPath(new URL("../path/bare-broker.js", import.meta.url)),
    [join(plane.dataDirectory, "ca")],
    { log: join(directory, "bare-broker.log") },
  );
  try {
    const { port } = await bare.document<{ port: number }>();
    for (let trial = 1; trial <= TRIALS; trial += 1) {
      people.say(`flood ${trial} of ${TRIALS}`);
      const shared = { devices: identities, run: `flood-${trial}`, ...FLOOD };
      rates.bare.push(await flood({ ...shared, broker: { ...broker, port }, until: "taken" }));
      rates.ours.push(await flood({ ...shared, broker, until: "stored" }));
    }
  } finally {
    await bare.stop();
  }
  return { ours: quantile(rates.ours, 0.5), bare: quantile(rates.bare, 0.5) };
}

async function steady(simulation: Simulation) {
  await sleep(SETTLE_SECONDS * 1000);
  people.say(`measuring for ${MEASURE_SECONDS} s`);
  await plane.measure();
  const [latencies, ages] = await Promise.all([
    probe(simulation.plane),
    viewAges(simulation, seededRandom(3), MEASURE_SECONDS),
  ]);
  return { latencies, ages, measured: await plane.measure() };
}

const simulation = await prepareSimulation({
  ...{ devices: DEVICES, sites: SITES, seed: 1, directory, keep: false, controlPlane: plane },
  settings: deviceSettings({
    heartbeatSeconds: HEARTBEAT_SECONDS,
    telemetrySeconds: HEARTBEAT_SECONDS * 2,
    startDelaySeconds: DEVICES / 120,
  }),
  releases: [{ name: "detector", version: "1.0.0" }],
  progress: (words) => people.live(words),
});
try {
  const online = await bringOnline(simulation, 900, {
    look: (seconds, counts) => people.live(liveLine(seconds, counts, undefined)),
    event: () => undefined,
  });
  const { latencies, ages, measured } = await steady(simulation);
  const { produced, acknowledged } = simulation.swarm.counts();
  people.say(`${acknowledged} of ${produced} records are acknowledged`);
  simulation.swarm.stop();
  // Thousands of sessions end here; that is no part of the next measurement.
  await sleep(isQuick ? 500 : 10_000);
  const rates = await floods(simulation);
  for (const [path, values] of Object.entries(latencies))
    people.say(
      `${path}: ${values.length} calls, p50 ${quantile(values, 0.5).toFixed(1)} ms, p99 ${quantile(values, 0.99).toFixed(1)} ms`,
    );
  printFigures("fleet", [
    figure("devices", DEVICES, "devices", "higher"),
    figure("time until all are online", online, "s", "lower"),
    figure("control plane, share of a core", (100 * measured.cpuSeconds) / measured.seconds, "%", "lower"),
    figure("event loop delay, p99", measured.loopDelayMs.p99, "ms", "lower", 50),
    figure("event loop delay, longest", measured.loopDelayMs.max, "ms", "lower"),
    figure("memory of the control plane", measured.residentMiB, "MiB", "lower", 1024),
    figure("age of the fleet view, p99", quantile(ages, 0.99), "ms", "lower"),
    figure(
      "lists and filters of the API, p99",
      quantile(Object.values(latencies).flat(), 0.99),
      "ms",
      "lower",
      100,
    ),
    figure("most messages, ours over bare broker", rates.ours / rates.bare, "ratio", "higher", 0.6),
    figure("most messages, ours", rates.ours, "messages/s", "higher"),
    figure("most messages, ours over what 10,000 devices send", rates.ours / NEEDED, "ratio", "higher"),
    figure("most messages, bare broker", rates.bare, "messages/s", "higher"),
  ]);
} finally {
  await simulation.close();
  rmSync(directory, { recursive: true, force: true });
}
