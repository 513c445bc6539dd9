import { randomBytes } from "node:crypto";
import { MusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { directiveKeysIn } from "@muster/shared/trust/directive-keys";
import type { Fault } from "./device/conduct.ts";
import type { DeviceWorld } from "./device/effects.ts";
import type { DeviceSettings } from "./device/settings.ts";
import { enrollFleet } from "./fleet/enroll.ts";
import type { FleetIdentity } from "./fleet/identity.ts";
import { readChains, readKept, writeChains, writeKept } from "./fleet/kept.ts";
import { type Layout, layOut } from "./fleet/layout.ts";
import { ownPlane, type Plane, type PlaneProcess, strangePlane } from "./fleet/plane.ts";
import { ensureReleases, ensureSites, ensureTrust, joinTokens } from "./fleet/prepare.ts";
import type { SimulatedRelease } from "./fleet/releases.ts";
import { Swarm, type SwarmPorts } from "./swarm.ts";
import { DeviceApiClient } from "./wire/https.ts";
import { Manifests } from "./wire/manifests.ts";

export interface SimulationOptions {
  devices: number;
  sites: number;
  seed: number;
  /** Where a control plane of our own and its keys live. */
  directory: string;
  /** Keep the enrolled fleet in the directory, and take it from there. */
  keep: boolean;
  /** A control plane of our own, not started yet, or one that runs already. */
  controlPlane: PlaneProcess | { url: string; token: string; keys?: string };
  settings: DeviceSettings;
  /** The first one is what devices run at the beginning. */
  releases: readonly SimulatedRelease[];
  /** Told what is going on, in a few words. */
  progress: (words: string) => void;
}

/** A control plane with an enrolled fleet, ready to start. */
export interface Simulation {
  plane: Plane;
  layout: Layout;
  swarm: Swarm;
  /** What devices run from the factory. */
  baseline: ReleaseRef | null;
  /** `name@version` by digest. */
  releaseNames: ReadonlyMap<string, string>;
  /** Faults of releases; those who add to it decide how devices fare. */
  faults: Fault[];
  ports: SwarmPorts;
  /** Stops devices and, where it is our own, the control plane. */
  close(): Promise<void>;
}

interface Admitted {
  devices: FleetIdentity[];
  ca: string;
  tufRoot: string;
}

/** @throws MusterError of the control plane, or `scenario.invalid` where the kept fleet is another one */
export async function prepareSimulation(options: SimulationOptions): Promise<Simulation> {
  const { devices, sites, seed, directory, controlPlane, progress } = options;
  const layout = layOut(devices, sites, seed);
  const kept = options.keep ? await readKept(directory) : undefined;
  if (kept && (kept.seed !== seed || kept.devices !== devices || kept.sites !== sites))
    throw new MusterError(
      "scenario.invalid",
      `${directory} keeps ${kept.devices} devices at ${kept.sites} sites of seed ${kept.seed}.`,
    );
  progress("starting the control plane");
  const isOwn = "start" in controlPlane;
  const plane = isOwn
    ? await ownPlane(directory, controlPlane, kept?.operatorToken)
    : await strangePlane(controlPlane.url, controlPlane.token, directory, controlPlane.keys);
  const stopPlane = () => (isOwn ? plane.stop("orderly") : Promise.resolve());
  try {
    await ensureTrust(plane);
    const refs = await ensureReleases(plane, options.releases, directory);
    // An operator's own settings of a region are not ours to replace.
    if (isOwn) await ensureSites(plane, layout);
    const admitted = kept ? { ...kept, devices: kept.enrolled } : await admit(plane, layout, options);
    const simulation = await compose(plane, layout, admitted, refs, options.settings, stopPlane, progress);
    if (options.keep) await keepChains(simulation, directory);
    return simulation;
  } catch (error) {
    await stopPlane();
    throw error;
  }
}

/** Chains of evidence go on where the last run of this fleet ended. */
async function keepChains(simulation: Simulation, directory: string): Promise<void> {
  const { actors } = simulation.swarm;
  const chains = await readChains(directory);
  for (const { model } of actors) model.evidence.place = chains[model.id] ?? model.evidence.place;
  const { close } = simulation;
  simulation.close = async () => {
    await close();
    await writeChains(
      directory,
      Object.fromEntries(actors.map(({ model }) => [model.id, model.evidence.place])),
    );
  };
}

async function admit(plane: Plane, layout: Layout, options: SimulationOptions): Promise<Admitted> {
  const { devices, sites, seed, directory, keep, progress } = options;
  const tokens = await joinTokens(plane, layout);
  const fleet = await enrollFleet(plane.deviceUrl, layout.devices, tokens, seed, (enrolled) =>
    progress(`enrolled ${enrolled} of ${devices}`),
  );
  const { ca, tufRoot } = fleet;
  const { operatorToken } = plane;
  if (keep)
    await writeKept(directory, {
      schema: "muster.simulated-fleet/1",
      ...{ seed, devices, sites, operatorToken, ca, tufRoot, enrolled: fleet.devices },
    });
  return fleet;
}

async function compose(
  plane: Plane,
  layout: Layout,
  { devices, ca, tufRoot }: Admitted,
  refs: readonly ReleaseRef[],
  settings: DeviceSettings,
  stopPlane: () => Promise<void>,
  progress: (words: string) => void,
): Promise<Simulation> {
  const [anyDevice] = devices;
  if (!anyDevice) throw new MusterError("scenario.invalid", "A fleet has at least one device.");
  const api = new DeviceApiClient(plane.deviceUrl, ca, 2, anyDevice);
  const manifests = new Manifests(api, ({ code, message }) => progress(`${code}: ${message}`));
  for (const ref of refs) await manifests.load(ref);
  const faults: Fault[] = [];
  const run = randomBytes(6).toString("base64url");
  const world: DeviceWorld = { run, settings, faults, manifests: manifests.known };
  const { hostname, port } = new URL(plane.mqttUrl);
  const ports: SwarmPorts = {
    broker: { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port), ca },
    keys: directiveKeysIn(tufRoot),
    world,
    loadManifest: (release) => manifests.want(release, Date.now()),
  };
  const swarm = new Swarm(devices, layout.devices, ports);
  return {
    ...{ plane, layout, swarm, faults, ports },
    baseline: refs[0] ?? null,
    releaseNames: new Map(refs.map(({ name, version, digest }) => [digest, `${name}@${version}`])),
    close: async () => {
      swarm.stop();
      api.close();
      await stopPlane();
    },
  };
}
