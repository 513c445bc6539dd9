import type { DeviceRecord, FactsOf } from "./model.ts";
import type { DeviceCounts } from "./views.ts";

export type Situation = keyof Omit<DeviceCounts, "total">;

/** Where a device stands; `told` is told apart by whether the device was seen since and is seen now. */
export function situationOf(record: Pick<DeviceRecord, "status" | "reachedAt">, online: boolean): Situation {
  if (record.status === "return-failed") return "returnFailed";
  if (record.status !== "told") return record.status;
  if (record.reachedAt === null) return "offline";
  return online ? "pending" : "silent";
}

export const noDevices = (): DeviceCounts => ({
  total: 0,
  waiting: 0,
  offline: 0,
  pending: 0,
  silent: 0,
  succeeded: 0,
  failed: 0,
  returning: 0,
  returned: 0,
  returnFailed: 0,
  released: 0,
});

export function countDevices(records: readonly DeviceRecord[], factsOf: FactsOf): DeviceCounts {
  const counts = { ...noDevices(), total: records.length };
  for (const record of records) counts[situationOf(record, factsOf(record.device).online)] += 1;
  return counts;
}
