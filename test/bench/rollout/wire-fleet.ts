import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { ControlPlane } from "../../plant/control-plane.ts";
import type { DeviceSettings } from "../../simulator/device/settings.ts";
import { deviceSettings } from "../../simulator/device-settings.ts";
import { bringOnline } from "../../simulator/scenario/run.ts";
import { prepareSimulation, type Simulation } from "../../simulator/simulation.ts";
import { DirectiveWatch } from "./directive-watch.ts";

/** The factory's release, one that is good and one that is bad. */
const VERSIONS = ["1.0.0", "1.1.0", "1.2.0"] as const;
const NAME = "detector";
const ONLINE_SECONDS = 600;
const DEVICES_AT_A_SITE = 100;

/** Connections a second that the control plane takes while the fleet comes online. */
const ACCEPT_PER_SECOND = 400;
/** What it takes to get the fleet there; no part of what is measured. */
const PLANE_SETTINGS = { acceptPerSecond: ACCEPT_PER_SECOND, enrollmentsPerMinute: 1_000_000 };

/** A fleet of simulated devices on real sockets at a real control plane, all online. */
export interface WireFleet {
  simulation: Simulation;
  watch: DirectiveWatch;
  /** The settings that the devices read: what is written here holds from then on. */
  settings: DeviceSettings;
  releases: { good: ReleaseRef; bad: ReleaseRef };
  close(): Promise<void>;
}

/** @param progress told what is going on */
export async function openWireFleet(devices: number, progress: (words: string) => void): Promise<WireFleet> {
  const directory = await mkdtemp(join(tmpdir(), "muster-bench-rollout-"));
  const remove = () => rm(directory, { recursive: true, force: true });
  const settings = deviceSettings({
    telemetrySeconds: 0,
    startDelaySeconds: devices / ACCEPT_PER_SECOND,
    reconnectMinSeconds: 0.5,
    reconnectMaxSeconds: 5,
  });
  let simulation: Simulation;
  try {
    simulation = await prepareSimulation({
      devices,
      sites: Math.ceil(devices / DEVICES_AT_A_SITE),
      seed: 1,
      directory,
      keep: false,
      controlPlane: new ControlPlane(directory, PLANE_SETTINGS),
      settings,
      releases: VERSIONS.map((version) => ({ name: NAME, version })),
      progress,
    });
  } catch (error) {
    await remove();
    throw error;
  }
  const close = async () => {
    await simulation.close();
    await remove();
  };
  try {
    const look = () => progress(`${simulation.swarm.counts().online} of ${devices} devices are online`);
    await bringOnline(simulation, ONLINE_SECONDS, { look, event: () => {} });
    const { releases } = await simulation.plane.api.get<{ releases: ReleaseRef[] }>("/releases");
    const [, good, bad] = VERSIONS.map((wanted) => releases.find(({ version }) => version === wanted));
    if (!good || !bad) throw new Error("the releases are not there");
    return {
      simulation,
      settings,
      watch: new DirectiveWatch(simulation.swarm.actors),
      releases: { good, bad },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
