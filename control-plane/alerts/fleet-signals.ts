import type { Labels } from "@muster/shared/protocol/primitives";
import type { Directory } from "../fleet/directory.ts";
import type { SelectorSubject } from "../fleet/selector.ts";
import type { FleetHealth } from "../health/book.ts";
import type { Stores } from "../storage/database.ts";
import { certificateSignals, diskSignals, rolloutSubjects, trustSignals } from "./control-plane-facts.ts";
import { deviceSignals } from "./device-signals.ts";
import type { DeviceSubject, RolloutSubject, SignalSource } from "./signal-source.ts";
import type { Signals } from "./signals.ts";

export interface FleetSignalsParts {
  stores: Pick<Stores, "controlReader">;
  directory: Directory;
  health: { refresh(): Promise<FleetHealth> };
  /** Models of a device with a drift alarm; undefined where nothing is known. */
  driftingModels(device: string): number | undefined;
  dataDir: string;
  /** Certificate of the device listeners, PEM. */
  serverCertificate(): string;
  /** How full the queue of records for the database is, 0 to 1. */
  ingestFill(): number;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** The fleet and its control plane as the rules see them. */
export class FleetSignals implements SignalSource {
  readonly #parts: FleetSignalsParts;
  #devices: FleetHealth["devices"] = [];
  #rollouts: RolloutSubject[] = [];
  #controlPlane: Signals = {};

  constructor(parts: FleetSignalsParts) {
    this.#parts = parts;
  }

  async refresh(): Promise<void> {
    const { stores, health, dataDir, serverCertificate, ingestFill, clock } = this.#parts;
    const disk = await diskSignals(dataDir).catch(() => ({}));
    // This also brings the directory up to date.
    this.#devices = (await health.refresh()).devices;
    const now = clock();
    this.#rollouts = rolloutSubjects(stores.controlReader, now);
    this.#controlPlane = {
      ingestQueuePercent: 100 * ingestFill(),
      ...disk,
      ...trustSignals(stores.controlReader, now),
      ...certificateSignals(serverCertificate(), now),
    };
  }

  *devices(): Iterable<DeviceSubject> {
    const { clock, directory, driftingModels } = this.#parts;
    const { attests } = directory;
    const now = clock();
    for (const { device, health, outlook } of this.#devices) {
      const signals = deviceSignals(
        {
          liveness: device.liveness,
          lastSeenAt: device.lastSeenAt,
          reported: device.reported,
          trust: attests ? device.trust : undefined,
          health,
          driftingModels: driftingModels(device.id),
          ...outlook,
        },
        now,
      );
      yield { facts: device, signals };
    }
  }

  rollouts(): Iterable<RolloutSubject> {
    return this.#rollouts;
  }

  controlPlane(): Signals {
    return this.#controlPlane;
  }

  device(id: string): SelectorSubject | undefined {
    return this.#parts.directory.get(id);
  }

  labelsOfSite(path: string): Labels {
    return this.#parts.directory.sites.effective(path).labels;
  }
}
