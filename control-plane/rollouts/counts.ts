import type { Directory } from "../fleet/directory.ts";
import type { DeviceRecord } from "./model.ts";
import type { DeviceCounts } from "./views.ts";

export type Situation = keyof Omit<DeviceCounts, "total">;

/** What is asked of a device besides its record, only where it matters. */
export interface Seen {
  isOnline(): boolean;
  isWithheld(): boolean;
}

/** A device as the directory sees it at the moment of asking. */
export const seenIn = (directory: Directory, device: string): Seen => ({
  isOnline: () => directory.get(device)?.online ?? false,
  isWithheld: () => directory.withheldBecause(device) !== undefined,
});

/**
 * Where a device stands. `told` is told apart by whether it is seen now, and a device that the open wave or one
 * before it waits for by whether it could be told at all. Until the rollout has ended, what a withheld device told
 * counts for nothing; afterwards what it proved then stays as it was.
 */
export function situationOf(
  { status, wave }: Pick<DeviceRecord, "status" | "wave">,
  { open, ended }: { open: number | null; ended: boolean },
  seen: Seen,
): Situation {
  if (status === "return-failed") return "returnFailed";
  if (status === "waiting") {
    if (open === null || wave > open) return "waiting";
    return seen.isWithheld() ? "withheld" : seen.isOnline() ? "waiting" : "offline";
  }
  if (status === "retrying" || (!ended && (status === "succeeded" || status === "failed")))
    return seen.isWithheld() ? "withheld" : status;
  if (status !== "told") return status;
  return seen.isOnline() ? "pending" : "silent";
}

export const noDevices = (): DeviceCounts => ({
  total: 0,
  waiting: 0,
  offline: 0,
  withheld: 0,
  pending: 0,
  silent: 0,
  retrying: 0,
  succeeded: 0,
  failed: 0,
  returning: 0,
  returned: 0,
  returnFailed: 0,
  released: 0,
  held: 0,
  superseded: 0,
  skipped: 0,
});

/**
 * Counts of each wave, by its number from 0, and of all devices. `open` is the open wave; what is seen of a device is
 * asked by the place of its record.
 */
export function countDevices(
  records: readonly DeviceRecord[],
  progress: { open: number | null; ended: boolean },
  seen: { isOnline(place: number): boolean; isWithheld(place: number): boolean },
): { waves: DeviceCounts[]; all: DeviceCounts } {
  const waves: DeviceCounts[] = [];
  for (const [place, record] of records.entries()) {
    while (waves.length <= record.wave) waves.push(noDevices());
    const counts = waves[record.wave] as DeviceCounts;
    counts.total += 1;
    const here = { isOnline: () => seen.isOnline(place), isWithheld: () => seen.isWithheld(place) };
    counts[situationOf(record, progress, here)] += 1;
  }
  return { waves, all: sumOf(waves) };
}

/** Several counts as one. */
export function sumOf(parts: readonly DeviceCounts[]): DeviceCounts {
  const sum = noDevices();
  for (const part of parts)
    for (const key of Object.keys(sum) as (keyof DeviceCounts)[]) sum[key] += part[key];
  return sum;
}
