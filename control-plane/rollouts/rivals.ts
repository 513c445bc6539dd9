import type { RolloutDeviceStatus, RolloutState } from "../storage/tables/rollouts.ts";
import type { DeviceRecord, Rollout } from "./model.ts";

/** What decides which of two rollouts goes first at a device that both want. */
interface Rank {
  state: RolloutState;
  /** Name of the release. */
  name: string;
  priority: number;
  startedAt: number;
}

/** Another rollout that is under way, or completed with devices that it has still to tell. */
export interface Rival extends Rank {
  id: string;
  /** Undefined for a device that it does not have. */
  statusOf(device: string): RolloutDeviceStatus | undefined;
}

const rankOf = ({ state, release, plan, startedAt }: Rollout): Rank => ({
  state,
  name: release.name,
  priority: plan.priority,
  startedAt: startedAt ?? 0,
});

/**
 * True when `other` goes first: the higher priority, of equal ones the later of two rollouts of one release name
 * (it is what the operator wants now), else the earlier one. What has completed yields to what started after it.
 */
function goesFirst(other: Rank, own: Rank): boolean {
  const later = other.startedAt > own.startedAt;
  if (own.state === "completed" && later) return true;
  if (other.priority !== own.priority) return other.priority > own.priority;
  return other.name === own.name ? later : other.startedAt < own.startedAt;
}

/** A newer rollout of the same release name replaces an older one; any newer one replaces a completed one. */
function replaces(other: Rank, own: Rank): boolean {
  const later = other.startedAt > own.startedAt;
  const goesOn = other.state === "running" || other.state === "paused" || other.state === "completed";
  return later && goesOn && (other.name === own.name || own.state === "completed") && goesFirst(other, own);
}

const IN_FLIGHT: ReadonlySet<RolloutDeviceStatus> = new Set(["told", "returning"]);
const WANTED: ReadonlySet<RolloutDeviceStatus> = new Set(["waiting", "retrying", "succeeded", "failed"]);

/**
 * What other rollouts mean for a device that this one has still to tell: `superseded` when a newer one took it
 * over or replaces this one, `busy` while another one changes it or goes first, `free` otherwise.
 */
export function contest(
  rollout: Rollout,
  record: Pick<DeviceRecord, "device">,
  ownerOf: () => string | null,
  rivals: readonly Rival[],
): "free" | "busy" | "superseded" {
  const own = rankOf(rollout);
  let busy = false;
  for (const rival of rivals) {
    const status = rival.statusOf(record.device);
    // Who has not come back by the end of a revert goes on from the way back that waits for it.
    if (status === undefined || rival.state === "reverted" || rival.state === "aborted") continue;
    const wants = WANTED.has(status) || IN_FLIGHT.has(status);
    if (wants && replaces(rival, own)) return "superseded";
    const higher = rival.startedAt > own.startedAt && rival.priority > own.priority;
    if (wants && higher && ownerOf() === rival.id) return "superseded";
    const active = rival.state !== "completed" || status === "waiting" || status === "retrying";
    if (IN_FLIGHT.has(status) || (active && WANTED.has(status) && goesFirst(rival, own))) busy = true;
  }
  return busy ? "busy" : "free";
}

/** True where another rollout has sent the device back, and the device has not proved to be there. */
export const isGoingBack = (device: string, rivals: readonly Rival[]): boolean =>
  rivals.some((rival) => ["returning", "return-failed"].includes(rival.statusOf(device) ?? ""));

/** The order in which rollouts are looked at: the one that goes first has first access to what all share. */
export const byRank = (
  a: { plan: { priority: number }; startedAt: number | null; id: string },
  b: { plan: { priority: number }; startedAt: number | null; id: string },
): number =>
  b.plan.priority - a.plan.priority || (a.startedAt ?? 0) - (b.startedAt ?? 0) || (a.id < b.id ? -1 : 1);
