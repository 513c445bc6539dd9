import type { DeviceRecord } from "../model.ts";

/**
 * `updated`: of the open wave and told. `untold`: of the open wave and still to be told, so not measured yet.
 * `control`: of a later wave, so not told.
 */
export type Arm = "updated" | "untold" | "control";

export interface TrackedMember {
  device: string;
  hardwareClass: string;
  arm: Arm;
}

type MemberRecord = Pick<DeviceRecord, "device" | "hardwareClass" | "wave" | "status">;

/**
 * Devices whose evidence counts in the open wave, counted from 0. Controls are members of later waves only: a
 * device that is told later in the same wave would be compared with now and be compared itself afterwards, and
 * the ranks of the sequential test would depend on each other.
 */
export function membersOf(records: readonly MemberRecord[], wave: number): TrackedMember[] {
  return records.flatMap((record) => {
    const arm = armOf(record, wave);
    return arm ? [{ device: record.device, hardwareClass: record.hardwareClass, arm }] : [];
  });
}

function armOf({ wave, status }: MemberRecord, open: number): Arm | undefined {
  switch (status) {
    case "told":
    case "retrying":
    case "succeeded":
    case "failed":
      return wave === open ? "updated" : undefined;
    case "waiting":
    case "held":
      if (wave === open) return "untold";
      return wave > open ? "control" : undefined;
    default:
      return undefined;
  }
}
