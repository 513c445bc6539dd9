import type { Liveness } from "./liveness.ts";
import type { SiteBook } from "./site-book.ts";
import type { DeviceStatus, LivenessCounts, SiteSummary } from "./types.ts";

export const noLiveness = (): LivenessCounts => ({ online: 0, late: 0, offline: 0, flapping: 0 });

/** Every path from the first name down to the site itself: `eu/de` gives `eu` and `eu/de`. */
const ancestry = (site: string): string[] =>
  site.split("/").map((_name, depth, names) => names.slice(0, depth + 1).join("/"));

/** The site tree with counts that include everything below and what is stated of each site, in path order. */
export function siteTree(
  devices: Iterable<{ site: string; status: DeviceStatus; liveness: Liveness }>,
  book: SiteBook,
): SiteSummary[] {
  const own = new Map<string, Counts>();
  for (const { site, status, liveness } of devices) {
    const counts = countsAt(own, site);
    if (status === "revoked") counts.revoked += 1;
    else {
      counts.devices += 1;
      counts.liveness[liveness] += 1;
    }
  }
  for (const { path } of book.entries()) countsAt(own, path);
  const tree = new Map<string, Counts>();
  for (const [site, counts] of own) for (const path of ancestry(site)) add(countsAt(tree, path), counts);
  return [...tree]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([site, counts]) => ({
      site,
      ...counts,
      settings: book.settingsOf(site),
      effective: book.effective(site),
    }));
}

type Counts = Pick<SiteSummary, "devices" | "revoked" | "liveness">;

function countsAt(counts: Map<string, Counts>, site: string): Counts {
  const known = counts.get(site);
  if (known) return known;
  const none = { devices: 0, revoked: 0, liveness: noLiveness() };
  counts.set(site, none);
  return none;
}

function add(sum: Counts, { devices, revoked, liveness }: Counts): void {
  sum.devices += devices;
  sum.revoked += revoked;
  for (const key of Object.keys(liveness) as Liveness[]) sum.liveness[key] += liveness[key];
}
