import type { Directory } from "../fleet/directory.ts";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import type { RolloutDeviceStatus, RolloutsTable } from "../storage/tables/rollouts.ts";
import { membersOf, type TrackedMember } from "./exposure/arms.ts";
import type { Rollout } from "./model.ts";
import type { Rival } from "./rivals.ts";
import { progressOfRow } from "./store.ts";

/**
 * A rollout in memory between ticks: reading ten thousand devices anew each second would cost more than deciding
 * about them. It is thrown away as soon as its row has another revision than this one.
 */
export class LoadedRollout {
  /** Of the row of the database, and of the rows of the devices, that this is a copy of. */
  revision: number;
  #membersRevision: number;
  /** Revision of the directory up to which all evidence was taken in. */
  appraisedAt = -1;
  /** When it was looked for late joiners last, and the directory's revision then. */
  joinersAt = Number.NEGATIVE_INFINITY;
  joinersRevision = -1;
  #rollout: Rollout;
  #places: Map<string, number> | undefined;
  #handles: readonly (FleetDevice | undefined)[] | undefined;
  #online: { round: number; at: number; list: (boolean | undefined)[] } | undefined;
  #members: { devices: Rollout["devices"]; wave: number; without: string; list: TrackedMember[] } | undefined;

  constructor(rollout: Rollout, row: Pick<RolloutsTable, "revision" | "members_revision">) {
    this.#rollout = rollout;
    this.revision = row.revision;
    this.#membersRevision = row.members_revision;
  }

  get rollout(): Rollout {
    return this.#rollout;
  }

  /**
   * Takes over what an operator changed; false where it has to be read anew: devices were changed too, or one that
   * had ended goes on, of which not every device was read or looked at.
   */
  follow(row: RolloutsTable): boolean {
    if (row.members_revision !== this.#membersRevision) return false;
    if (this.#rollout.endedAt !== null && row.ended_at === null) return false;
    if (row.revision !== this.revision) this.#rollout = { ...this.#rollout, ...progressOfRow(row) };
    this.revision = row.revision;
    return true;
  }

  /** The same rollout after a decision was stored: the same devices in the same order. */
  become(rollout: Rollout): void {
    // Devices that had ended were not looked at since then.
    if (this.#rollout.endedAt !== null && rollout.endedAt === null) this.appraisedAt = -1;
    if (rollout.devices !== this.#rollout.devices) this.#membersRevision += 1;
    this.#rollout = rollout;
    this.revision += 1;
  }

  /** Undefined for a device that it does not have. */
  placeOf(device: string): number | undefined {
    return this.#index().get(device);
  }

  statusOf(device: string): RolloutDeviceStatus | undefined {
    const place = this.#index().get(device);
    return place === undefined ? undefined : this.#rollout.devices[place]?.status;
  }

  asRival(): Rival {
    const { id, state, release, plan, startedAt } = this.#rollout;
    return {
      id,
      state,
      name: release.name,
      priority: plan.priority,
      startedAt: startedAt ?? 0,
      statusOf: (device) => this.statusOf(device),
    };
  }

  /**
   * Its devices by their places, to ask for liveness: that is always of now, while all else in a handle is as old
   * as this copy. Looking ten thousand of them up by name would cost more than asking.
   */
  handles(directory: Directory): readonly (FleetDevice | undefined)[] {
    this.#handles ??= this.#rollout.devices.map(({ device }) => directory.get(device));
    return this.#handles;
  }

  /**
   * Liveness by place, filled by who asks. A rollout with much to do decides many times in a row: within `ms` what
   * was found is not asked for again. `round` tells ticks apart.
   */
  liveness(round: number, now: number, ms: number): (boolean | undefined)[] {
    const known = this.#online;
    if (known?.round === round && Math.abs(now - known.at) < ms) return known.list;
    this.#online = { round, at: now, list: [] };
    return this.#online.list;
  }

  /**
   * Whose evidence counts in the open wave; the same list as before where nothing has changed.
   * @param withheld devices whose word counts for nothing
   */
  exposureMembers(wave: number, withheld: ReadonlySet<string>): readonly TrackedMember[] {
    const { devices } = this.#rollout;
    const without = [...withheld].sort().join();
    const known = this.#members;
    if (known?.devices === devices && known.wave === wave && known.without === without) return known.list;
    const list = membersOf(devices, wave).filter(({ device }) => !withheld.has(device));
    this.#members = { devices, wave, without, list };
    return list;
  }

  #index(): Map<string, number> {
    this.#places ??= new Map(this.#rollout.devices.map(({ device }, place) => [device, place]));
    return this.#places;
  }
}
