import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Plant } from "../../plant/plant.ts";
import { figure, isQuick, median, printFigures } from "../figures.ts";
import { childrenOf, cpuSeconds, residentMiB } from "../proc.ts";

/**
 * Resident memory and idle processor time of the agent core and of a runner with a model, beside a bare Node
 * process. Settings are the defaults of a fleet: heartbeats every 30 s, no traffic.
 */
const SETTLE_SECONDS = isQuick ? 5 : 20;
const WATCH_SECONDS = isQuick ? 10 : 60;

const plant = new Plant({ MUSTER_HEARTBEAT_SECONDS: "30" });
const bare = spawn(process.execPath, ["-e", "setInterval(() => {}, 60_000)"], { stdio: "ignore" });

try {
  await plant.start();
  plant.feeder.start();
  await plant.release("1.0.0");
  const { state } = await plant.rollOut("1.0.0");
  if (state !== "completed") throw new Error(`the release did not arrive: ${state}`);
  await plant.feeder.stop();
  await plant.device.stop();
  plant.startDevice();
  await sleep(SETTLE_SECONDS * 1000);
  const core = plant.device.pid;
  const [runner] = childrenOf(core);
  if (!runner || !bare.pid) throw new Error("the runner is not there");
  const pids = { bare: bare.pid, core, runner };
  const memory = { bare: [] as number[], core: [] as number[], runner: [] as number[] };
  const cpuBefore = { core: cpuSeconds(core), runner: cpuSeconds(runner) };
  const started = performance.now();
  for (let second = 0; second < WATCH_SECONDS; second++) {
    await sleep(1000);
    for (const [name, pid] of Object.entries(pids))
      memory[name as keyof typeof memory].push(residentMiB(pid));
  }
  const seconds = (performance.now() - started) / 1000;
  const idle = (name: "core" | "runner") => (100 * (cpuSeconds(pids[name]) - cpuBefore[name])) / seconds;
  const mib = { bare: median(memory.bare), core: median(memory.core), runner: median(memory.runner) };
  printFigures("agent", [
    figure("core memory over bare Node", mib.core / mib.bare, "ratio", "lower", 1.6),
    figure("runner memory over bare Node", mib.runner / mib.bare, "ratio", "lower"),
    figure("bare Node memory", mib.bare, "MiB", "lower"),
    figure("core memory", mib.core, "MiB", "lower"),
    figure("runner memory", mib.runner, "MiB", "lower"),
    figure("core idle processor", idle("core"), "% of a core", "lower", 1),
    figure("runner idle processor", idle("runner"), "% of a core", "lower", 1),
  ]);
} finally {
  bare.kill();
  await plant.stop();
}
