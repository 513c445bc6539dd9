import type { InferenceCounters } from "@muster/shared/protocol/messages";
import type { GatePlan } from "../gate/plan.ts";
import type { TrackedMember } from "./arms.ts";
import { awaitedUntil, roundsOf } from "./blocks.ts";
import { DeviceExposure, type Grid } from "./device-exposure.ts";
import { type Arms, type BlockSample, type Exposures, noArms } from "./exposures.ts";
import { addSums, noSums, type Sums } from "./sums.ts";

/** A rollout with an open wave, as the tick sees it. */
export interface TrackedRollout {
  rollout: string;
  /** Of its release. */
  digest: string;
  /** Counted from 0. */
  wave: number;
  openedAt: number;
  gate: Pick<GatePlan, "soakSeconds">;
  /** The same array as before tells that nothing has changed. */
  members: readonly TrackedMember[];
}

/** Evidence of one open wave, in memory: of each device that was heard of, and summed up by arm and class. */
export class TrackedExposures implements Exposures {
  readonly rollout: string;
  readonly wave: number;
  readonly grid: Grid;
  readonly #digest: string;
  #list: readonly TrackedMember[] = [];
  #members = new Map<string, TrackedMember>();
  readonly #devices = new Map<string, DeviceExposure>();
  /** Those of the devices that are updated: few, and asked for in each tick. */
  readonly #updated = new Map<string, DeviceExposure>();
  readonly #arms = new Map<string, Arms>();

  constructor({ rollout, digest, wave, openedAt, gate }: TrackedRollout) {
    this.rollout = rollout;
    this.wave = wave;
    this.grid = { openedAt, roundsMs: roundsOf(gate) };
    this.#digest = digest;
  }

  /** True while it is the same wave of the same rollout. */
  isOf({ digest, wave, openedAt, gate }: TrackedRollout): boolean {
    return (
      digest === this.#digest &&
      wave === this.wave &&
      openedAt === this.grid.openedAt &&
      roundsOf(gate).join() === this.grid.roundsMs.join()
    );
  }

  /** Takes over who counts now; gives the devices whose evidence counts no more. */
  setMembers(members: readonly TrackedMember[]): string[] {
    if (members === this.#list) return [];
    const next = new Map(members.map((member) => [member.device, member]));
    const dropped: string[] = [];
    for (const [device, exposure] of this.#devices) {
      const before = this.#members.get(device);
      const after = next.get(device);
      if (before && after && before.arm === after.arm && before.hardwareClass === after.hardwareClass)
        continue;
      if (before) this.#count(before, exposure, -1);
      this.#devices.delete(device);
      this.#updated.delete(device);
      dropped.push(device);
    }
    this.#list = members;
    this.#members = next;
    return dropped;
  }

  member(device: string): TrackedMember | undefined {
    return this.#members.get(device);
  }

  device(device: string): DeviceExposure | undefined {
    return this.#devices.get(device);
  }

  /** What the device has measured once this heartbeat counts; undefined where nothing in it belongs to its arm. */
  after(
    device: string,
    base: DeviceExposure | undefined,
    inference: readonly InferenceCounters[],
    receivedAt: number,
  ): DeviceExposure | undefined {
    const member = this.#members.get(device);
    if (!member || member.arm === "untold" || receivedAt < this.grid.openedAt) return undefined;
    const entries = inference.filter(
      ({ release }) => (release === this.#digest) === (member.arm === "updated"),
    );
    return entries.length === 0
      ? undefined
      : (base ?? DeviceExposure.empty(this.grid)).with(entries, receivedAt);
  }

  put(device: string, exposure: DeviceExposure): void {
    const member = this.#members.get(device);
    if (!member) return;
    const former = this.#devices.get(device);
    if (former) this.#count(member, former, -1);
    this.#count(member, exposure, 1);
    this.#devices.set(device, exposure);
    if (member.arm === "updated") this.#updated.set(device, exposure);
  }

  arms(): ReadonlyMap<string, Arms> {
    return this.#arms;
  }

  classes(leastControls: number): string[] {
    const inWave = new Set<string>();
    const controls = new Map<string, number>();
    for (const { hardwareClass, arm } of this.#list)
      if (arm === "control") controls.set(hardwareClass, (controls.get(hardwareClass) ?? 0) + 1);
      else inWave.add(hardwareClass);
    return [...inWave].filter((name) => (controls.get(name) ?? 0) >= leastControls).sort();
  }

  hasNewcomers(round: number, judged: number, block: number): boolean {
    for (const exposure of this.#updated.values()) {
      const first = exposure.firstBlock(round);
      if (first > judged && first <= block) return true;
    }
    return false;
  }

  block(round: number, index: number): BlockSample[] {
    const samples: BlockSample[] = [];
    for (const [device, exposure] of this.#devices) {
      const member = this.#members.get(device);
      if (member && exposure.hasBlock(round, index)) samples.push(new Sample(member, exposure, round, index));
    }
    return samples;
  }

  awaited(judged: number, now: number): number {
    const { openedAt, roundsMs } = this.grid;
    let count = 0;
    for (const exposure of this.#updated.values()) {
      if (now > awaitedUntil(exposure.since, openedAt, roundsMs[0] ?? 1)) continue;
      const first = exposure.firstBlock(0);
      if (first < 0 || first > judged) count += 1;
    }
    return count;
  }

  #count({ hardwareClass, arm }: TrackedMember, exposure: DeviceExposure, sign: 1 | -1): void {
    if (arm === "untold") return;
    let arms = this.#arms.get(hardwareClass);
    if (!arms) {
      arms = noArms();
      this.#arms.set(hardwareClass, arms);
    }
    addSums(arms[arm], exposure.totals, sign);
  }
}

class Sample implements BlockSample {
  readonly device: string;
  readonly hardwareClass: string;
  readonly arm: TrackedMember["arm"];
  readonly firstBlock: number;
  readonly #exposure: DeviceExposure;
  readonly #round: number;
  readonly #index: number;

  constructor(member: TrackedMember, exposure: DeviceExposure, round: number, index: number) {
    this.device = member.device;
    this.hardwareClass = member.hardwareClass;
    this.arm = member.arm;
    this.firstBlock = exposure.firstBlock(round);
    this.#exposure = exposure;
    this.#round = round;
    this.#index = index;
  }

  get sums(): Sums {
    return this.#exposure.block(this.#round, this.#index) ?? noSums();
  }
}
