import { statfsSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import type { Heartbeat } from "@muster/shared/protocol/messages";

/** The part of a health snapshot that the machine tells; cheap enough for every heartbeat. */
export type MachineVitals = Omit<
  Heartbeat["health"],
  "temperatureC" | "runnerRss" | "runnerRestarts" | "outboxBytes" | "power"
>;

const MIB = 1024 * 1024;

/** @param dataDir the directory whose file system counts for free disk */
export function machineVitals(dataDir: string): MachineVitals {
  return {
    agentRss: process.memoryUsage.rss(),
    loadPerCore: (loadavg()[0] ?? 0) / availableParallelism(),
    freeMemoryMiB: Math.floor(process.availableMemory() / MIB),
    freeDiskMiB: freeDiskMiB(dataDir),
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
