import type { Heartbeat } from "@muster/shared/protocol/messages";
import { gaussian, type Random } from "../../models/training/random.ts";
import type { DeviceProfile } from "./profile.ts";

const MIB = 1024 ** 2;

/** Health of the box itself and how its link fared between two heartbeats. */
export class Vitals {
  readonly #profile: DeviceProfile;
  readonly #random: Random;
  #bornAt = 0;
  #takenAt = 0;
  #connectedAt: number | undefined;
  #connectedMs = 0;
  #syncSucceeded = 0;
  #syncFailed = 0;

  constructor(profile: DeviceProfile, random: Random) {
    this.#profile = profile;
    this.#random = random;
  }

  start(now: number): void {
    this.#bornAt = now;
    this.#takenAt = now;
  }

  connected(now: number): void {
    this.#connectedAt = now;
    this.#syncSucceeded += 1;
  }

  /** The connection ended, or an attempt at one failed. */
  disconnected(now: number): void {
    if (this.#connectedAt === undefined) this.#syncFailed += 1;
    else this.#connectedMs += now - this.#connectedAt;
    this.#connectedAt = undefined;
  }

  /** What the next heartbeat tells; sums begin anew. */
  take(
    now: number,
    outboxBytes: number,
    runnerRestarts: number,
  ): Pick<Heartbeat, "uptimeSeconds" | "health" | "agent"> {
    const since = this.#connectedAt === undefined ? 0 : now - this.#connectedAt;
    const agent = {
      operationalMs: Math.round(now - this.#takenAt),
      connectedMs: Math.round(Math.min(now - this.#takenAt, this.#connectedMs + since)),
      syncSucceeded: this.#syncSucceeded,
      syncFailed: this.#syncFailed,
    };
    this.#takenAt = now;
    this.#connectedMs = 0;
    if (this.#connectedAt !== undefined) this.#connectedAt = now;
    this.#syncSucceeded = 0;
    this.#syncFailed = 0;
    const { hardware, temperatureC } = this.#profile;
    const health = {
      agentRss: Math.round((60 + 4 * this.#random()) * MIB),
      runnerRss: Math.round((140 + 10 * this.#random()) * MIB),
      loadPerCore: Math.round((0.3 + 0.2 * this.#random()) * 1000) / 1000,
      freeMemoryMiB: Math.round(hardware.memoryMiB * (0.4 + 0.05 * this.#random())),
      freeDiskMiB: 8_000 + Math.round(100 * this.#random()),
      temperatureC: Math.round((temperatureC + gaussian(this.#random)) * 10) / 10,
      runnerRestarts,
      outboxBytes,
    };
    return { uptimeSeconds: Math.round((now - this.#bornAt) / 1000), health, agent };
  }
}
