import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Console, liveLine } from "../../simulator/console.ts";
import { deviceSettings } from "../../simulator/device-settings.ts";
import { storedResults } from "../../simulator/scenario/observe.ts";
import { bringOnline, drain } from "../../simulator/scenario/run.ts";
import { prepareSimulation } from "../../simulator/simulation.ts";
import { figure, isQuick, printFigures, quantile } from "../figures.ts";
import { MeasuredPlane } from "../measured-plane.ts";

/**
 * The control plane is killed under a fleet and started again at once. Devices come back by the agent's own rule
 * (full jitter, 1 s to 5 min) and the control plane lets them in at its own pace, both as shipped.
 */
const DEVICES = isQuick ? 200 : 5_000;
const SITES = isQuick ? 10 : 200;
const SETTLE_SECONDS = isQuick ? 3 : 70;
/** A minute online forgives earlier failures, as on the agent. */
const LIMIT_SECONDS = 900;

const directory = mkdtempSync(join(tmpdir(), "muster-bench-reconnect-"));
const plane = new MeasuredPlane(directory);
const people = new Console(process.stderr);
const simulation = await prepareSimulation({
  ...{ devices: DEVICES, sites: SITES, seed: 2, directory, keep: false, controlPlane: plane },
  settings: deviceSettings({ telemetrySeconds: isQuick ? 2 : 60, startDelaySeconds: DEVICES / 120 }),
  releases: [{ name: "detector", version: "1.0.0" }],
  progress: (words) => people.live(words),
});
const { swarm } = simulation;
const isBack = (since: number) =>
  swarm.actors.every(({ model, onlineAt }) => model.isOnline && onlineAt > since);

/** Highest processor share within one second of those that are looked at, percent of a core. */
async function peakUntil(done: () => boolean): Promise<number> {
  const until = performance.now() + LIMIT_SECONDS * 1000;
  let peak = 0;
  while (!done()) {
    await sleep(1000);
    const { cpuSeconds, seconds } = await plane.measure();
    peak = Math.max(peak, (100 * cpuSeconds) / seconds);
    people.live(liveLine(0, swarm.counts(), undefined));
    if (performance.now() > until) throw new Error(`not all were online within ${LIMIT_SECONDS} s`);
  }
  return peak;
}

try {
  await bringOnline(simulation, LIMIT_SECONDS, {
    look: (seconds, counts) => people.live(liveLine(seconds, counts, undefined)),
    event: () => undefined,
  });
  await sleep(SETTLE_SECONDS * 1000);
  people.say("killing the control plane");
  const killedAt = Date.now();
  await plane.stop("power-cut");
  await plane.start();
  const upAt = Date.now();
  const peak = await peakUntil(() => isBack(killedAt));
  const waits = swarm.actors.map(({ onlineAt }) => Math.max(0, onlineAt - upAt) / 1000);
  const longest = Math.max(...waits);
  await drain(simulation);
  const { produced, acknowledged, results } = swarm.counts();
  const lost = produced - acknowledged + Math.max(0, results - (await storedResults(simulation)));
  printFigures("reconnect", [
    figure("devices", DEVICES, "devices", "higher"),
    figure("control plane away", (upAt - killedAt) / 1000, "s", "lower"),
    figure("all online again after", longest, "s", "lower"),
    figure("half online again after", quantile(waits, 0.5), "s", "lower"),
    figure("99 % online again after", quantile(waits, 0.99), "s", "lower"),
    figure("longest wait over median", longest / Math.max(quantile(waits, 0.5), 0.001), "ratio", "lower"),
    figure("control plane, peak share of a core", peak, "%", "lower"),
    figure("records lost", lost, "records", "lower", 0),
  ]);
} finally {
  await simulation.close();
  rmSync(directory, { recursive: true, force: true });
}
