import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { UpChannel } from "@muster/shared/protocol/topics";
import type { Fault } from "./conduct.ts";
import type { DeviceSettings } from "./settings.ts";

/** What the outside has to do for the device. */
export type Effect =
  | { do: "connect"; session: string }
  | { do: "close" }
  | { do: "publish"; channel: UpChannel; payload: string; qos: 0 | 1 }
  | { do: "load-manifest"; release: ReleaseRef };

/** What befalls a device from outside; a scenario changes it while the run goes on. */
export interface Conditions {
  uplink: boolean;
  /** Factor on the work of updates. */
  slowness: number;
  /** Factor on inference times. */
  latencyFactor: number;
  /** How far the clock of the device is ahead, milliseconds. */
  skewMs: number;
}

export const CALM: Conditions = { uplink: true, slowness: 1, latencyFactor: 1, skewMs: 0 };

/** What all devices of a run share. */
export interface DeviceWorld {
  /** Begins every id of session, boot and outbox: a later run with the same seed is other boots of the same boxes. */
  run: string;
  settings: DeviceSettings;
  faults: readonly Fault[];
  /** Manifests by digest, as far as they were loaded. */
  manifests: ReadonlyMap<string, ReleaseManifest>;
}
