import { once } from "node:events";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { serve } from "@muster/control-plane/serve";

/** Sent once it listens. */
export interface Ready {
  deviceUrl: string;
  mqttUrl: string;
  operatorUrl: string;
  operatorToken: string | undefined;
}

/** Since the last measurement. */
export interface Measured {
  seconds: number;
  /** Processor time of the whole process. */
  cpuSeconds: number;
  /** Delay of the event loop beyond its due time, milliseconds. */
  loopDelayMs: { p50: number; p99: number; max: number };
  residentMiB: number;
}

/** How often the event loop is looked at, milliseconds: what it takes itself is not a delay. */
const RESOLUTION_MS = 5;

/** A control plane that answers `measure` over its IPC channel: `measured-serve.js DATA_DIR SETTINGS_JSON`. */
const [dataDir = "", settings = "{}"] = process.argv.slice(2);
const running = await serve({ dataDir, settings: JSON.parse(settings) });
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
let since = performance.now();
let cpu = process.cpuUsage();

process.on("message", () => {
  const used = process.cpuUsage(cpu);
  const ms = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  const measured: Measured = {
    seconds: (performance.now() - since) / 1000,
    cpuSeconds: (used.user + used.system) / 1e6,
    loopDelayMs: { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max) },
    residentMiB: process.memoryUsage.rss() / 1024 ** 2,
  };
  since = performance.now();
  cpu = process.cpuUsage();
  delay.reset();
  process.send?.(measured);
});
const { deviceUrl, mqttUrl, operatorUrl, operatorToken } = running;
const ready: Ready = { deviceUrl, mqttUrl, operatorUrl, operatorToken };
process.send?.(ready);
await Promise.race([once(process, "SIGTERM"), once(process, "disconnect")]);
await running.close();
process.exit(0);
