import type { FreshHeartbeat } from "@muster/control-plane/ingest/heartbeat-observer";
import type { RolloutTick } from "@muster/control-plane/rollouts/tick";
import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { manifestOf, World } from "../../../integration/rollouts/world.ts";
import { type Random, seededRandom } from "../../../models/training/random.ts";
import { type ClassMix, layOut } from "../../../simulator/fleet/layout.ts";
import { Box } from "./box.ts";
import { TRIALS } from "./faults.ts";

/** Of all devices: nobody hears of them while the bench runs. */
const OFFLINE = 0.02;
export const NAME = "detector";
/** Releases that devices know of: the factory's, and one for each trial. */
const RELEASES = 1 + TRIALS.length;

export interface FleetSize {
  devices: number;
  sites: number;
}

const VITALS = {
  v: 1,
  session: "bench",
  seq: 0,
  uptimeSeconds: 0,
  health: {
    agentRss: 0,
    runnerRss: 0,
    loadPerCore: 0,
    freeMemoryMiB: 0,
    freeDiskMiB: 0,
    temperatureC: null,
    runnerRestarts: 0,
    outboxBytes: 0,
  },
  agent: { operationalMs: 0, connectedMs: 0, syncSucceeded: 0, syncFailed: 0 },
} as const;

/** Real services on real database files, and boxes that live in virtual time. */
export class Fleet {
  readonly world: World;
  readonly boxes: readonly Box[];
  readonly classes: readonly string[];
  readonly tick: RolloutTick;
  readonly random: Random;
  #row = 0;

  private constructor(world: World, boxes: readonly Box[], random: Random) {
    this.world = world;
    this.boxes = boxes;
    this.classes = [...new Set(boxes.map(({ profile }) => profile.hardwareClass))].sort();
    this.tick = world.tick();
    this.random = random;
  }

  static async open({ devices, sites }: FleetSize, mix: readonly ClassMix[], seed: number): Promise<Fleet> {
    const world = await World.open();
    world.stores.telemetryRaw.pragma("synchronous = OFF");
    const random = seededRandom(seed);
    const manifests = Array.from({ length: RELEASES }, (_, index) => manifestOf(NAME, index + 1));
    const refs = [];
    for (const manifest of manifests) refs.push(await world.addRelease(manifest));
    const { devices: profiles } = layOut(devices, sites, seed, mix);
    const plans = profiles.map(({ site, hardware, labels }) => ({
      site,
      labels,
      hardware,
      behaviour: random() < OFFLINE ? { offlineFrom: 0 } : {},
    }));
    await world.addDevices(plans, refs[0] ?? null, manifests);
    const simulated = [...world.devices.values()];
    const boxes = profiles.flatMap((profile, index) => {
      const device = simulated[index];
      return device ? [new Box(device, profile, world.now)] : [];
    });
    return new Fleet(world, boxes, random);
  }

  /** Ten seconds go by: devices live and report, then the control plane looks at its rollouts. */
  async step(): Promise<void> {
    const { world } = this;
    world.now += 10_000;
    const beats: FreshHeartbeat[] = [];
    for (const box of this.boxes) {
      const inference = box.live(world.now);
      if (inference) beats.push(this.#beat(box.device.id, inference));
    }
    await world.stores.writeTelemetry((db) => world.ledger.store(db, beats));
    world.ledger.stored();
    await this.tick.run();
  }

  async close(): Promise<void> {
    await this.tick.stop();
    await this.world.close();
  }

  #beat(device: string, inference: InferenceCounters[]): FreshHeartbeat {
    const { now } = this.world;
    this.#row += 1;
    return { device, beat: { ...VITALS, at: now, inference }, receivedAt: now, row: this.#row };
  }
}
