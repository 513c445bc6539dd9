import type { Liveness } from "./liveness.ts";
import type { DeviceStatus, LivenessCounts, SiteSummary } from "./types.ts";

export const noLiveness = (): LivenessCounts => ({ online: 0, late: 0, offline: 0, flapping: 0 });

/** Every path from the first name down to the site itself: `eu/de` gives `eu` and `eu/de`. */
const ancestry = (site: string): string[] =>
  site.split("/").map((_name, depth, names) => names.slice(0, depth + 1).join("/"));

/** The site tree with counts that include everything below, in path order. */
export function siteTree(
  devices: Iterable<{ site: string; status: DeviceStatus; liveness: Liveness }>,
): SiteSummary[] {
  const sites = new Map<string, SiteSummary>();
  for (const { site, status, liveness } of devices)
    for (const path of ancestry(site)) {
      let summary = sites.get(path);
      if (!summary) {
        summary = { site: path, devices: 0, revoked: 0, liveness: noLiveness() };
        sites.set(path, summary);
      }
      if (status === "revoked") summary.revoked += 1;
      else {
        summary.devices += 1;
        summary.liveness[liveness] += 1;
      }
    }
  return [...sites.values()].sort((a, b) => (a.site < b.site ? -1 : 1));
}
