import type { Era } from "./accumulator.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { Groups } from "./groups.ts";
import type { Rollup, RollupStore } from "./rollup-store.ts";
import type { Scopes } from "./scopes.ts";
import { mergeSums, type Sums } from "./sums.ts";

/** A closed bucket that is not stored yet. */
export interface Closing {
  bucket: number;
  /** The hour that ended with it, or undefined. */
  hour: number | undefined;
  /** The newest heartbeat that is in its sums. */
  row: number;
  /** The clock was set back: rows of this time exist already and are added to. */
  again: { bucket: boolean; hour: boolean };
}

export interface ClosingParts {
  devices: Iterable<DeviceRecord>;
  groups: Groups;
  scopes: Scopes;
  rollups: RollupStore;
  /** The open bucket, and the era that it began. */
  open: number;
  era: Era;
}

/** Every write that stores a closed bucket, and the hour that ended with it; each belongs inside a transaction. */
export function* bucketWrites(
  { bucket, hour, again }: Closing,
  { devices, groups, scopes, rollups, open, era }: ClosingParts,
): Iterator<() => void> {
  const put = (rollup: Rollup, at: number, sums: Sums, scope: () => number, more: boolean) => () => {
    const known = more ? rollups.get(rollup, at, scope()) : undefined;
    if (known) mergeSums(known, sums);
    rollups.put(rollup, at, scope(), known ?? sums);
  };
  for (const record of devices) {
    const { device } = record;
    const sums = record.sums.follow(era);
    const scope = () => scopes.idOf("device", device);
    if (sums.filled.closed) {
      yield put("device_5m", bucket, sums.closed, scope, again.bucket);
      yield () => rollups.putState(device, record.toState(bucket, open));
    }
    if (hour !== undefined && sums.filled.closedHour)
      yield put("device_1h", hour, sums.closedHour, scope, again.hour);
  }
  for (const group of groups.all()) {
    const sums = group.sums.follow(era);
    const scope = () => scopes.idOf(group.kind, group.name);
    if (sums.filled.closed) yield put("group_5m", bucket, sums.closed, scope, again.bucket);
    if (hour !== undefined && sums.filled.closedHour)
      yield put("group_1h", hour, sums.closedHour, scope, again.hour);
    groups.forgetIdle(group);
  }
}
