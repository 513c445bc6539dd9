import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import type { Heartbeat } from "@muster/shared/protocol/messages";

/** The part of a health snapshot that the machine tells; cheap enough for every heartbeat. */
export type MachineVitals = Omit<Heartbeat["health"], "runnerRss" | "runnerRestarts" | "outboxBytes">;

const MIB = 1024 * 1024;
const THERMAL = "/sys/class/thermal";
/** What a sensor says outside of this range is a fault of the sensor, degrees Celsius. */
const PLAUSIBLE_C = { min: -60, max: 150 };

/** @param dataDir the directory whose file system counts for free disk */
export function machineVitals(dataDir: string): MachineVitals {
  return {
    agentRss: process.memoryUsage.rss(),
    loadPerCore: (loadavg()[0] ?? 0) / availableParallelism(),
    freeMemoryMiB: Math.floor(process.availableMemory() / MIB),
    freeDiskMiB: freeDiskMiB(dataDir),
    temperatureC: hottest(THERMAL),
  };
}

function freeDiskMiB(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return Math.floor((bavail * bsize) / MIB);
  } catch {
    // A file system that cannot even be asked has no room to offer.
    return 0;
  }
}

/** The highest plausible sensor of `directory`, degrees Celsius, or null when there is none. */
export function hottest(directory: string): number | null {
  let zones: string[];
  try {
    zones = readdirSync(directory).filter((name) => name.startsWith("thermal_zone"));
  } catch {
    return null;
  }
  const readings = zones
    .map((zone) => readCelsius(join(directory, zone, "temp")))
    .filter((celsius) => celsius > PLAUSIBLE_C.min && celsius < PLAUSIBLE_C.max);
  return readings.length > 0 ? Math.max(...readings) : null;
}

/** A sensor that is asleep answers with an error: NaN. */
function readCelsius(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10) / 1000;
  } catch {
    return Number.NaN;
  }
}
