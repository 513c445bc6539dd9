import { hardwareClassOf } from "@muster/shared/protocol/hardware";
import { between, gaussian, pick, type Random, seededRandom } from "../../models/training/random.ts";
import type { DeviceProfile } from "../device/profile.ts";

/** As the runtime that the agent ships reads. */
const OPSET = 26;

/** A part of the fleet with the same hardware. Shares are relative to each other. */
export interface ClassMix {
  platform: string;
  arch: string;
  provider: string;
  share: number;
  cpuModel: string;
  cores: number;
  memoryMiB: number;
  /** Median inference time of a good release, milliseconds. */
  latencyMs: number;
}

export const DEFAULT_CLASSES: readonly ClassMix[] = [
  {
    platform: "linux",
    arch: "arm64",
    provider: "cpu",
    share: 55,
    cpuModel: "Cortex-A76",
    cores: 4,
    memoryMiB: 4096,
    latencyMs: 22,
  },
  {
    platform: "linux",
    arch: "x64",
    provider: "cpu",
    share: 30,
    cpuModel: "Celeron J6412",
    cores: 4,
    memoryMiB: 8192,
    latencyMs: 12,
  },
  {
    platform: "linux",
    arch: "arm64",
    provider: "cuda",
    share: 15,
    cpuModel: "Orin Nano",
    cores: 6,
    memoryMiB: 8192,
    latencyMs: 4,
  },
];

/** A region as operators keep it: its sites inherit clock and uplink. */
export interface RegionSettings {
  path: string;
  timeZone: string;
  uplinkKbps: number;
  labels: Record<string, string>;
}

const REGIONS: readonly RegionSettings[] = [
  { path: "eu/de", timeZone: "Europe/Berlin", uplinkKbps: 50_000, labels: { country: "de" } },
  { path: "eu/pt", timeZone: "Europe/Lisbon", uplinkKbps: 20_000, labels: { country: "pt" } },
  { path: "us/tx", timeZone: "America/Chicago", uplinkKbps: 100_000, labels: { country: "us" } },
  { path: "ap/jp", timeZone: "Asia/Tokyo", uplinkKbps: 100_000, labels: { country: "jp" } },
];

export interface Layout {
  regions: readonly RegionSettings[];
  sites: readonly string[];
  devices: readonly DeviceProfile[];
}

/** Each class is a part of the fleet as near to its share as whole devices allow; which device has it is chance. */
function classesFor(count: number, mix: readonly ClassMix[], random: Random): ClassMix[] {
  const total = mix.reduce((sum, { share }) => sum + share, 0);
  const chosen: ClassMix[] = [];
  let upTo = 0;
  for (const part of mix) {
    upTo += part.share;
    while (chosen.length < Math.round((count * upTo) / total)) chosen.push(part);
  }
  for (let last = chosen.length - 1; last > 0; last -= 1) {
    const other = pick(random, last + 1);
    [chosen[last], chosen[other]] = [chosen[other]!, chosen[last]!];
  }
  return chosen;
}

/** Spread of the boxes of one class, as the deviation of the logarithm of their inference time. */
const BOX_SIGMA = 0.1;

function profileOf(index: number, site: string, part: ClassMix, seed: number, random: Random): DeviceProfile {
  const { platform, arch, provider, cpuModel, cores, memoryMiB, latencyMs } = part;
  const providers = provider === "cpu" ? ["cpu"] : [provider, "cpu"];
  const hardware = { platform, arch, cpuModel, cores, memoryMiB, providers, opset: OPSET };
  return {
    index,
    name: `box-${String(index + 1).padStart(5, "0")}`,
    site,
    hardware,
    hardwareClass: hardwareClassOf(hardware),
    labels: { ring: index % 20 === 0 ? "early" : "main", line: `line-${1 + pick(random, 4)}` },
    latencyMs: latencyMs * Math.exp(BOX_SIGMA * gaussian(random)),
    temperatureC: between(random, 38, 62),
    seed: seed * 1_000_003 + index,
  };
}

/** Devices over sites in turn, sites over regions in turn; the same for the same seed. */
export function layOut(
  devices: number,
  sites: number,
  seed: number,
  mix: readonly ClassMix[] = DEFAULT_CLASSES,
): Layout {
  const random = seededRandom(seed);
  const regions = REGIONS.slice(0, Math.min(sites, REGIONS.length));
  const paths = Array.from({ length: sites }, (_, index) => {
    const region = regions[index % regions.length]!;
    return `${region.path}/plant-${String(Math.floor(index / regions.length) + 1).padStart(3, "0")}`;
  });
  const classes = classesFor(devices, mix, random);
  return {
    regions,
    sites: paths,
    devices: classes.map((part, index) => profileOf(index, paths[index % sites]!, part, seed, random)),
  };
}
