import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import { groupedBy } from "../fleet/grouped.ts";
import type { ExclusionReason, Selection } from "./selection.ts";
import type { WaveMember } from "./waves.ts";

interface DevicePlace {
  device: string;
  name: string;
  site: string;
}

/** Devices of a site or of a hardware class, and how many of them are offline now. */
export interface Share {
  key: string;
  devices: number;
  offline: number;
}

export interface SelectedWave {
  /** Counted from 1. */
  number: number;
  /** Devices that are offline now: they are told when they come online. */
  offline: number;
  /** Most devices first. */
  sites: Share[];
  classes: Share[];
  /** In the order in which they are told. */
  devices: (DevicePlace & { hardwareClass: string; online: boolean })[];
}

/** What a plan selects, as things stand. */
export interface SelectionView {
  release: ReleaseRef;
  /** Devices that the selector describes. */
  matched: number;
  targets: number;
  offline: number;
  waves: SelectedWave[];
  /** Matched devices that are left out, and why. */
  excluded: (DevicePlace & { reason: ExclusionReason; sentence: string })[];
  /** Targets that another rollout under way has as well, and who goes first. */
  contended: (DevicePlace & { rollout: string; takesOver: boolean; sentence: string })[];
}

const placeOf = ({ id, name, site }: FleetDevice): DevicePlace => ({ device: id, name, site });

/** Who is in, wave by wave, who is out and why, and who is wanted twice. */
export function selectionView(
  release: ReleaseRef,
  { matched, targets, excluded, contended }: Selection,
  members: readonly WaveMember<FleetDevice>[],
): SelectionView {
  const byWave = groupedBy(members, ({ wave }) => wave);
  return {
    release,
    matched,
    targets: targets.length,
    offline: offlineOf(targets),
    waves: [...byWave]
      .sort(([a], [b]) => a - b)
      .map(([wave, devices]) =>
        selectedWave(
          wave,
          devices.map(({ target }) => target),
        ),
      ),
    excluded: excluded.map(({ device, reason, sentence }) => ({ ...placeOf(device), reason, sentence })),
    contended: contended.map(({ device, rollout, takesOver, sentence }) => ({
      ...placeOf(device),
      rollout,
      takesOver,
      sentence,
    })),
  };
}

const selectedWave = (wave: number, devices: readonly FleetDevice[]): SelectedWave => ({
  number: wave + 1,
  offline: offlineOf(devices),
  sites: sharesOf(devices, ({ site }) => site),
  classes: sharesOf(devices, ({ hardwareClass }) => hardwareClass),
  devices: devices.map((device) => ({
    ...placeOf(device),
    hardwareClass: device.hardwareClass,
    online: device.online,
  })),
});

const offlineOf = (devices: readonly FleetDevice[]): number => devices.filter(({ online }) => !online).length;

const sharesOf = (devices: readonly FleetDevice[], keyOf: (device: FleetDevice) => string): Share[] =>
  [...groupedBy(devices, keyOf)]
    .map(([key, some]) => ({ key, devices: some.length, offline: offlineOf(some) }))
    .sort((a, b) => b.devices - a.devices || (a.key < b.key ? -1 : 1));
