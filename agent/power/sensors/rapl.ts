import type { Sysfs } from "./sysfs.ts";

const POWERCAP = "class/powercap";
/** Zones that hold no other zone that counts: packages, the memory of each, or the whole platform. */
const ZONE = /^intel-rapl:\d+(?::\d+)?$/;

/** One counter of energy. It begins again at 0 after `range`. */
interface Counter {
  readonly microjoules: number;
  readonly range: number;
}

/** Counters of one moment by zone. */
export interface RaplCounters {
  /** The whole platform (`psys`), where the board feeds that counter. */
  readonly platform: ReadonlyMap<string, Counter>;
  /** Processors and their memory. */
  readonly processor: ReadonlyMap<string, Counter>;
}

/**
 * Energy counters of the processor (Intel RAPL and what AMD answers in its place), kernel documentation
 * power/powercap. They are readable by root alone on most systems: without that right there are none.
 */
export async function readRapl(sysfs: Sysfs): Promise<RaplCounters> {
  const platform = new Map<string, Counter>();
  const processor = new Map<string, Counter>();
  for (const zone of await sysfs.list(POWERCAP, "intel-rapl:")) {
    if (!ZONE.test(zone)) continue;
    const name = (await sysfs.text(`${POWERCAP}/${zone}/name`)) ?? "";
    const zones = name === "psys" ? platform : /^(package-\d+|dram)/.test(name) ? processor : undefined;
    const microjoules = await sysfs.number(`${POWERCAP}/${zone}/energy_uj`);
    if (!zones || microjoules === undefined) continue;
    zones.set(zone, {
      microjoules,
      range: (await sysfs.number(`${POWERCAP}/${zone}/max_energy_range_uj`)) ?? 0,
    });
  }
  return { platform, processor };
}

/**
 * Energy between two moments, millijoules, with at most one wrap of each counter between them.
 * @returns null where a zone has no former value, or went back and tells no range
 */
export function raplMillijoules(
  before: ReadonlyMap<string, Counter>,
  after: ReadonlyMap<string, Counter>,
): number | null {
  if (after.size === 0) return null;
  let microjoules = 0;
  for (const [zone, { microjoules: now, range }] of after) {
    const then = before.get(zone)?.microjoules;
    if (then === undefined) return null;
    const wrapped = now < then;
    if (wrapped && range < then) return null;
    microjoules += wrapped ? range - then + now : now - then;
  }
  return microjoules / 1000;
}
