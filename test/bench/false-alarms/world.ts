import type { InferenceCounters } from "@muster/shared/protocol/messages";
import { CONFIDENCE_EDGES, LATENCY_EDGES_MS } from "@muster/shared/protocol/metric-edges";
import { Random } from "./random.ts";

/** What a bad release does to the devices that run it. */
export interface Fault {
  latencyFactor?: number;
  /** Added to the chance that an inference fails, or falls back. */
  errors?: number;
  fallbacks?: number;
  /** Chance of a crash in a block. */
  crashes?: number;
  /** Share of the devices on which it shows; 1 where absent. */
  on?: number;
  /** The only hardware class on which it shows; all where absent. */
  onClass?: string;
}

export interface World {
  name: string;
  updated: number;
  controls: number;
  sites: number;
  /** Hardware classes, each as large as its share of the devices, with how much slower than the first it is. */
  classes: readonly { name: string; share: number; slower: number }[];
  /** Standard deviations of the logarithm of what devices, and sites, are slower or worse by for good. */
  deviceSpread: number;
  siteSpread: number;
  /** How much all devices swing together with the time of day. */
  day: number;
  heavyTails: boolean;
  /** Chance that an inference fails on a middling device. */
  errorRate: number;
  /** Blocks over which the updated devices begin to serve the release. */
  startsOver: number;
  /** `spread` takes devices of different sites first, as rollouts do. */
  order: "random" | "spread";
  soakSeconds: number;
  blocks: number;
  fault?: Fault;
}

/** A world in which the release is the same as the one before. */
export const world = (given: Partial<World> & { name: string }): World => ({
  updated: 12,
  controls: 60,
  sites: 12,
  classes: [{ name: "linux-x64", share: 1, slower: 1 }],
  deviceSpread: 0.4,
  siteSpread: 0.3,
  day: 0.2,
  heavyTails: false,
  errorRate: 0.01,
  startsOver: 3,
  order: "spread",
  soakSeconds: 60,
  blocks: 6,
  ...given,
});

interface Device {
  name: string;
  hardwareClass: string;
  arm: "updated" | "control";
  /** Block in which it begins to report the release. */
  start: number;
  slowness: number;
  badness: number;
  load: number;
  sureness: number;
  faulty: boolean;
}

const MEDIAN_MS = 12;

/** Devices of a world, drawn once; what they measure is drawn block by block. */
export class Simulation {
  readonly devices: Device[];
  readonly #random: Random;
  readonly #world: World;

  constructor(given: World, seed: number) {
    this.#world = given;
    this.#random = new Random(seed);
    const sites = Array.from({ length: given.sites }, () => given.siteSpread * this.#random.normal());
    const all = given.updated + given.controls;
    const drawn = this.#random.shuffled(
      Array.from({ length: all }, (_, index) => ({
        index,
        site: index % given.sites,
        ...classAt(given, index / all),
      })),
    );
    const ordered = given.order === "spread" ? spread(drawn) : drawn;
    this.devices = ordered.map(({ index, site, name, slower }, position) => {
      const updated = position < given.updated;
      const shared = sites[site] ?? 0;
      return {
        name: `device-${index}`,
        hardwareClass: name,
        arm: updated ? "updated" : "control",
        start: updated ? Math.floor((position * given.startsOver) / Math.max(1, given.updated)) : 0,
        slowness: slower * Math.exp(shared + given.deviceSpread * this.#noise()),
        badness: Math.exp(shared + 2 * given.deviceSpread * this.#noise()),
        load: Math.exp(0.3 * this.#random.normal()),
        sureness: 0.9 + 0.08 * this.#random.uniform(),
        faulty:
          updated && this.#random.chance(given.fault?.on ?? 1) && name === (given.fault?.onClass ?? name),
      };
    });
  }

  /** What a device measures in one block; `release` is what it tells to have run. */
  measure(device: Device, block: number, release: string): InferenceCounters {
    const { day, errorRate, fault = {}, blocks } = this.#world;
    const random = this.#random;
    const faulty = device.arm === "updated" && device.faulty;
    const swing = Math.exp(day * Math.sin((2 * Math.PI * block) / blocks) + 0.1 * this.#noise());
    const slow = MEDIAN_MS * device.slowness * swing * (faulty ? (fault.latencyFactor ?? 1) : 1);
    const failing = Math.min(0.9, errorRate * device.badness * swing) + (faulty ? (fault.errors ?? 0) : 0);
    const falling = Math.min(0.9, 0.01 * device.badness) + (faulty ? (fault.fallbacks ?? 0) : 0);
    const inferences = Math.max(1, Math.round(40 * device.load * (0.8 + 0.4 * random.uniform())));
    const latency = LATENCY_EDGES_MS.map(() => 0).concat(0);
    const confidence = CONFIDENCE_EDGES.map(() => 0).concat(0);
    let failures = 0;
    let fallbacks = 0;
    for (let index = 0; index < inferences; index += 1) {
      count(latency, LATENCY_EDGES_MS, slow * Math.exp(0.3 * this.#noise()));
      count(confidence, CONFIDENCE_EDGES, device.sureness + 0.02 * random.normal());
      if (random.chance(failing)) failures += 1;
      if (random.chance(falling)) fallbacks += 1;
    }
    return {
      release,
      servingMs: 60_000,
      crashes: random.chance(0.002 * device.badness + (faulty ? (fault.crashes ?? 0) : 0)) ? 1 : 0,
      inferences,
      failures,
      fallbacks,
      degraded: 0,
      refused: 0,
      cpuMs: 0,
      energyMj: null,
      latency: { edges: LATENCY_EDGES_MS as number[], counts: latency },
      confidence: { edges: CONFIDENCE_EDGES as number[], counts: confidence },
    };
  }

  #noise(): number {
    return this.#world.heavyTails ? Math.max(-8, Math.min(8, this.#random.heavy())) : this.#random.normal();
  }
}

/** The class of the device that lies so far (0 to 1) into the fleet. */
function classAt({ classes }: World, place: number): World["classes"][number] {
  let end = 0;
  return (
    classes.find(({ share }) => {
      end += share;
      return place < end - 1e-9;
    }) ?? { name: "linux-x64", share: 1, slower: 1 }
  );
}

function count(counts: number[], edges: readonly number[], value: number): void {
  let bin = 0;
  while (bin < edges.length && value >= (edges[bin] ?? 0)) bin += 1;
  counts[bin] = (counts[bin] ?? 0) + 1;
}

/** A device of each site in turn, as long as there are any. */
function spread<T extends { site: number }>(devices: readonly T[]): T[] {
  const turn = new Map<number, number>();
  return devices
    .map((device) => {
      const round = turn.get(device.site) ?? 0;
      turn.set(device.site, round + 1);
      return { device, round };
    })
    .sort((a, b) => a.round - b.round)
    .map(({ device }) => device);
}
