import type { HardwareFacts } from "@muster/shared/protocol/hardware";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import type { Database } from "better-sqlite3";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import { downloadSize } from "./download-size.ts";

/** A device on its way into a rollout. */
export interface NewMember {
  device: FleetDevice;
  /** Counted from 0. */
  wave: number;
  position: number;
  status: "waiting" | "held";
}

/** Stores members of a rollout. Call it inside a transaction of `db`. */
export function memberWriter(db: Database, rollout: string, manifest: ReleaseManifest) {
  const insert = db.prepare(
    `INSERT INTO rollout_devices (rollout, device, site, hardware_class, wave, position, status, bytes, attempts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
  );
  // Boxes of one kind share their hardware facts: each kind is measured once.
  const sizes = new Map<HardwareFacts, number>();
  return ({ device, wave, position, status }: NewMember): void => {
    const { id, site, hardware, hardwareClass } = device;
    const bytes = sizes.get(hardware) ?? downloadSize(manifest, hardware);
    sizes.set(hardware, bytes);
    insert.run(rollout, id, site, hardwareClass, wave, position, status, bytes);
  };
}
