import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { JoinTokenOfSite } from "./enroll.ts";
import type { Layout } from "./layout.ts";
import type { Plane } from "./plane.ts";
import { type SimulatedRelease, writeRelease } from "./releases.ts";

/** Makes keys and trust root where the control plane has none. @throws MusterError `scenario.invalid` */
export async function ensureTrust({ api, muster, keys }: Plane): Promise<void> {
  const { trust } = await api.get<{ trust: { initialized: boolean } }>("/status");
  if (trust.initialized) return;
  if (keys === undefined)
    throw new MusterError(
      "scenario.invalid",
      "The control plane has no trust root: run `muster trust init`.",
    );
  await muster.json("keys", "init", "--keys", keys);
  await muster.json("trust", "init", "--keys", keys);
}

/** Signs and registers the releases that are not there yet; answers all of them in the order asked for. */
export async function ensureReleases(
  plane: Plane,
  wanted: readonly SimulatedRelease[],
  directory: string,
): Promise<ReleaseRef[]> {
  const refs: ReleaseRef[] = [];
  for (const release of wanted) {
    const { name, version } = release;
    const { releases } = await plane.api.get<{ releases: ReleaseRef[] }>("/releases");
    let found = releases.find((known) => known.name === name && known.version === version);
    if (!found) {
      if (plane.keys === undefined)
        throw new MusterError(
          "scenario.invalid",
          `There is no release ${name}@${version}; pass --keys to sign it.`,
        );
      const spec = await writeRelease(join(directory, "releases"), release);
      found = await plane.muster.json<ReleaseRef>("release", "create", "-f", spec, "--keys", plane.keys);
    }
    const { sequence, digest } = found;
    refs.push({ name, version, sequence, digest });
  }
  return refs;
}

/** Gives the regions their clock, uplink and labels; sites inherit them. */
export async function ensureSites({ api }: Plane, { regions }: Layout): Promise<void> {
  for (const { path, timeZone, uplinkKbps, labels } of regions)
    await api.send("PUT", `/sites/${path}`, { timeZone, uplinkKbps, labels });
}

/** A join token for each site, good for all of its devices. */
export async function joinTokens(
  { api }: Plane,
  { sites, devices }: Layout,
): Promise<Map<string, JoinTokenOfSite>> {
  const tokens = new Map<string, JoinTokenOfSite>();
  for (const site of sites) {
    const uses = devices.filter((device) => device.site === site).length;
    if (uses > 0) tokens.set(site, await api.send<JoinTokenOfSite>("POST", "/tokens", { site, uses }));
  }
  return tokens;
}
