import type { FleetDevice } from "./fleet-device.ts";
import type { EffectiveSite, SiteBook } from "./site-book.ts";

/** Active devices of a place, and how many of them are offline, changing or not serving. */
export interface PlaceCount {
  devices: number;
  unavailable: number;
}

/** The places of the whole fleet as they are now. */
export interface Places {
  siteOf(path: string): EffectiveSite;
  /** Devices at the site itself. */
  site(path: string): PlaceCount;
  /** Devices whose site path begins with these `depth` names; a shorter path is a region of its own. */
  region(path: string, depth: number): PlaceCount;
  hardwareClass(name: string): PlaceCount;
}

const NONE: PlaceCount = { devices: 0, unavailable: 0 };

/** Whether an active device counts as unavailable; `told` are those told something and not ended. */
export const isUnavailable = (device: FleetDevice, told: ReadonlySet<string>): boolean =>
  device.disturbed || told.has(device.id) || !device.online;

/** Counts every active device once; regions are summed up from their sites when somebody asks. */
export function countPlaces(
  devices: Iterable<FleetDevice>,
  sites: SiteBook,
  told: ReadonlySet<string>,
): Places {
  const bySite = new Map<string, PlaceCount>();
  const byClass = new Map<string, PlaceCount>();
  const regions = new Map<string, PlaceCount>();
  for (const device of devices) {
    if (!device.active) continue;
    const unavailable = isUnavailable(device, told) ? 1 : 0;
    add(bySite, device.site, unavailable);
    add(byClass, device.hardwareClass, unavailable);
  }
  return {
    siteOf: (path) => sites.effective(path),
    site: (path) => bySite.get(path) ?? NONE,
    hardwareClass: (name) => byClass.get(name) ?? NONE,
    region: (path, depth) => {
      if (path.split("/").length < depth) return bySite.get(path) ?? NONE;
      let count = regions.get(path);
      if (!count) {
        count = sumOf(bySite, path);
        regions.set(path, count);
      }
      return count;
    },
  };
}

function add(counts: Map<string, PlaceCount>, key: string, unavailable: number): void {
  const count = counts.get(key);
  if (count) {
    count.devices += 1;
    count.unavailable += unavailable;
  } else counts.set(key, { devices: 1, unavailable });
}

function sumOf(bySite: ReadonlyMap<string, PlaceCount>, region: string): PlaceCount {
  const sum = { devices: 0, unavailable: 0 };
  for (const [site, { devices, unavailable }] of bySite)
    if (site === region || site.startsWith(`${region}/`)) {
      sum.devices += devices;
      sum.unavailable += unavailable;
    }
  return sum;
}
