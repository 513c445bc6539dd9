import { setImmediate as breathe } from "node:timers/promises";
import type { Directory } from "../fleet/directory.ts";
import type { FleetDevice } from "../fleet/fleet-device.ts";
import type { Stores } from "../storage/database.ts";
import type { DeviceHealth } from "./device-health.ts";
import type { HeartbeatLedger } from "./ledger.ts";
import { type DeviceOutlook, Outlook } from "./outlook.ts";
import { scoreOf } from "./score.ts";
import { windowOf } from "./window.ts";

/** Devices scored before others get their turn: a millisecond or two. */
const SLICE = 250;

/** A device with its health, as of the last look at the whole fleet. */
export interface ScoredDevice {
  device: FleetDevice;
  health: DeviceHealth;
  outlook: DeviceOutlook;
}

/** The whole fleet as of one moment: active devices only. */
export interface FleetHealth {
  /** When it was looked at, milliseconds since the epoch. */
  at: number;
  devices: readonly ScoredDevice[];
}

/** How every device fares: what heartbeats told, what else is known of it, and the score that follows. */
export class HealthBook {
  readonly #ledger: HeartbeatLedger;
  readonly #directory: Directory;
  readonly #now: () => number;
  readonly #outlook: Outlook;
  readonly #openedAt: number;
  #fleet: FleetHealth = { at: 0, devices: [] };
  #refreshing: Promise<FleetHealth> | undefined;

  constructor(ledger: HeartbeatLedger, directory: Directory, stores: Stores, now: () => number) {
    this.#ledger = ledger;
    this.#directory = directory;
    this.#now = now;
    this.#outlook = new Outlook(stores);
    this.#openedAt = now();
  }

  /** As of now. Undefined for a device that the fleet does not know. */
  of(device: string): DeviceHealth | undefined {
    const known = this.#directory.get(device);
    return known && this.#assess(known, this.#now());
  }

  /** Active devices, each as of the moment at which it is asked for. */
  *all(): Iterable<DeviceHealth> {
    const now = this.#now();
    for (const device of this.#directory.all()) if (device.active) yield this.#assess(device, now);
  }

  /** The fleet as it was looked at last; `refresh` looks again. */
  get fleet(): FleetHealth {
    return this.#fleet;
  }

  /** Looks at the whole fleet, some devices at a time. */
  refresh(): Promise<FleetHealth> {
    this.#refreshing ??= this.#look().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #look(): Promise<FleetHealth> {
    const now = this.#now();
    this.#directory.refresh();
    this.#outlook.refresh(now);
    const devices: ScoredDevice[] = [];
    let count = 0;
    for (const device of [...this.#directory.all()]) {
      if (device.active) {
        const outlook = this.#outlook.of(device.id);
        devices.push({ device, health: this.#assess(device, now, outlook), outlook });
      }
      count += 1;
      if (count % SLICE === 0) await breathe();
    }
    this.#fleet = { at: now, devices };
    return this.#fleet;
  }

  #assess(device: FleetDevice, now: number, outlook = this.#outlook.of(device.id)): DeviceHealth {
    const record = this.#ledger.record(device.id);
    const newest = record?.newest ?? null;
    const window = windowOf(record?.sums, this.#ledger.closedIsRecent);
    const vitals = newest?.health ?? null;
    const clockSkewMs = newest ? newest.at - newest.receivedAt : null;
    // Spreading one object into the other costs more here than all the rest.
    const { score, reasons } = scoreOf({
      now,
      window,
      vitals,
      clockSkewMs,
      liveness: device.liveness,
      lastSeenAt: device.lastSeenAt,
      reachableSince: this.#openedAt,
      reported: device.reported,
      lostRecords: outlook.lostRecords,
      certificateExpiresAt: outlook.certificateExpiresAt,
    });
    const at = newest?.receivedAt ?? null;
    return { device: device.id, at, vitals, window, clockSkewMs, score, reasons };
  }
}
