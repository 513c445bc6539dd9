import type { DeviceRecord } from "./model.ts";
import type { DeviceCounts } from "./views.ts";

export type Situation = keyof Omit<DeviceCounts, "total">;

/**
 * Where a device stands. `told` is told apart by whether it is seen now, and a device that the open wave or one
 * before it waits for by whether it could be told at all.
 */
export function situationOf(
  { status, wave }: Pick<DeviceRecord, "status" | "wave">,
  open: number | null,
  isOnline: () => boolean,
): Situation {
  if (status === "return-failed") return "returnFailed";
  if (status === "waiting") return open !== null && wave <= open && !isOnline() ? "offline" : "waiting";
  if (status !== "told") return status;
  return isOnline() ? "pending" : "silent";
}

export const noDevices = (): DeviceCounts => ({
  total: 0,
  waiting: 0,
  offline: 0,
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
 * Counts of each wave, by its number from 0, and of all devices. `open` is the open wave; `isOnline` is asked by
 * the place of a record.
 */
export function countDevices(
  records: readonly DeviceRecord[],
  open: number | null,
  isOnline: (place: number) => boolean,
): { waves: DeviceCounts[]; all: DeviceCounts } {
  const waves: DeviceCounts[] = [];
  for (const [place, record] of records.entries()) {
    while (waves.length <= record.wave) waves.push(noDevices());
    const counts = waves[record.wave] as DeviceCounts;
    counts.total += 1;
    counts[situationOf(record, open, () => isOnline(place))] += 1;
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
