import type { InferenceCounters } from "@muster/shared/protocol/messages";
import type { FreshHeartbeat } from "../ingest/heartbeat-observer.ts";
import type { Era } from "./accumulator.ts";
import { addAgent, addInference } from "./beat-delta.ts";
import { voidTime } from "./crash-hours.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { Group, Groups, Place } from "./groups.ts";
import { AT, noSums } from "./sums.ts";

/** What counting has to know of devices and releases. */
export interface CountingPorts {
  /** Undefined for a device that is not known. */
  placeOf(device: string): Place | undefined;
  /** Whether the fleet knows this release: only then it has figures of its own. */
  isRelease(digest: string): boolean;
}

/** Counts heartbeats into the sums of their device and of every group that it belongs to. */
export class BeatCounter {
  readonly #groups: Groups;
  readonly #ports: CountingPorts;

  constructor(groups: Groups, ports: CountingPorts) {
    this.#groups = groups;
    this.#ports = ports;
  }

  /** @param open begin of the open bucket */
  count(record: DeviceRecord, { beat }: FreshHeartbeat, open: number, era: Era): void {
    const voided = voidTime(record.crashHourIn(open), beat);
    whole.fill(0);
    addAgent(whole, beat);
    whole[AT.operationalVoidMs] = voided.operationalMs;
    for (const [index, entry] of beat.inference.entries()) {
      addInference(whole, entry, beat.health.power?.energy ?? null);
      whole[AT.servingVoidMs]! += voided.servingMs[index]!;
    }
    record.sums.follow(era).add(whole);
    for (const { sums } of this.#groupsOf(record)) sums.follow(era).add(whole);
    this.#countReleases(beat, voided.servingMs, era);
  }

  /** Box and agent count for the release that served last, inference for the one that did it. */
  #countReleases(beat: FreshHeartbeat["beat"], voidMs: readonly number[], era: Era): void {
    for (const [index, entry] of beat.inference.entries()) {
      const group = this.#releaseGroup(entry);
      if (!group) continue;
      part.fill(0);
      addInference(part, entry, beat.health.power?.energy ?? null);
      part[AT.servingVoidMs] = voidMs[index]!;
      if (index === beat.inference.length - 1) {
        addAgent(part, beat);
        part[AT.operationalVoidMs] = whole[AT.operationalVoidMs]!;
      }
      group.sums.follow(era).add(part);
    }
  }

  #releaseGroup({ release }: InferenceCounters): Group | undefined {
    if (release === null) return undefined;
    const known = this.#groups.known("release", release);
    return known ?? (this.#ports.isRelease(release) ? this.#groups.of("release", release) : undefined);
  }

  #groupsOf(record: DeviceRecord): readonly Group[] {
    const place = this.#ports.placeOf(record.device);
    const { version } = this.#groups;
    if (record.groups.place !== place || record.groups.version !== version)
      record.groups = { place, version, groups: this.#groups.at(place) };
    return record.groups.groups;
  }
}

/** Used by one heartbeat after the other. */
const whole = noSums();
const part = noSums();
