import type { FleetDevice } from "./fleet-device.ts";
import { noLiveness } from "./sites.ts";
import type { FleetSummary, ReleaseCount } from "./types.ts";

/** The whole fleet in figures; only active devices count but for `devices` and `revoked`. */
export function summarize(devices: Iterable<FleetDevice>): Omit<FleetSummary, "storedResults"> {
  const summary = {
    devices: 0,
    active: 0,
    revoked: 0,
    withheld: 0,
    liveness: noLiveness(),
    updating: {} as Record<string, number>,
    outcomes: {} as Record<string, number>,
  };
  const active: FleetDevice[] = [];
  for (const device of devices) {
    summary.devices += 1;
    summary[device.active ? "active" : "revoked"] += 1;
    if (!device.active) continue;
    active.push(device);
    if (device.withheldBecause !== null) summary.withheld += 1;
    summary.liveness[device.liveness] += 1;
    count(summary.updating, device.reported?.update?.phase);
    count(summary.outcomes, device.reported?.lastResult?.outcome);
  }
  return { ...summary, releases: releaseCounts(active) };
}

function count(counts: Record<string, number>, key: string | undefined): void {
  if (key !== undefined) counts[key] = (counts[key] ?? 0) + 1;
}

/** How many of the active devices run which release, most devices first. */
export function releaseCounts(devices: Iterable<FleetDevice>): ReleaseCount[] {
  const counts = new Map<string | undefined, ReleaseCount>();
  for (const { active, running } of devices) {
    if (!active) continue;
    const known = counts.get(running?.digest);
    if (known) known.devices += 1;
    else counts.set(running?.digest, { release: running, devices: 1 });
  }
  return [...counts.values()].sort((a, b) => b.devices - a.devices);
}
