import type { InferenceCounters } from "@muster/shared/protocol/messages";
import type { SimulatedDevice } from "../../../integration/rollouts/simulated-device.ts";
import { pick, type Random, seededRandom } from "../../../models/training/random.ts";
import { conductOf, type Fault } from "../../../simulator/device/conduct.ts";
import type { DeviceProfile } from "../../../simulator/device/profile.ts";
import { Serving } from "../../../simulator/device/serving.ts";
import { ERROR_RATE, type FaultKind, SLOWNESS } from "./faults.ts";

const INFERENCES_PER_SECOND = 2;
/** Milliseconds, as agents have it by default. */
const HEARTBEAT_MS = 30_000;
/** Where a good release does not get onto a box either: nothing real is without failures. */
const EVERYDAY_FAILURES = 0.005;

/** A device of the rollout tests that serves as those of the simulator do. */
export class Box {
  readonly device: SimulatedDevice;
  readonly profile: DeviceProfile;
  readonly #serving = new Serving();
  readonly #random: Random;
  #faults: readonly Fault[] = [];
  #nextBeatAt: number;

  constructor(device: SimulatedDevice, profile: DeviceProfile, now: number) {
    this.device = device;
    this.profile = profile;
    this.#random = seededRandom(profile.seed);
    this.#nextBeatAt = now + pick(this.#random, HEARTBEAT_MS);
    this.#serving.serve(device.running, now);
  }

  /** How the release that comes next behaves here. */
  prepare(release: string, fault: FaultKind | undefined): void {
    const { behaviour } = this.device;
    behaviour.takes = 1 + pick(this.#random, 3);
    behaviour.onUpdate = "succeed";
    if (fault === "runner crashes") behaviour.onUpdate = "crash-later";
    if (fault === "failed updates" || this.#random() < EVERYDAY_FAILURES) behaviour.onUpdate = "roll-back";
    const shared = { release, afterMs: 0, affects: () => true };
    this.#faults = [];
    if (fault === "error rate") this.#faults = [{ ...shared, kind: "errors", severity: ERROR_RATE }];
    if (fault === "latency") this.#faults = [{ ...shared, kind: "slower", severity: SLOWNESS }];
  }

  /** One step; what the heartbeat says that is due in it, if one is. */
  live(now: number): InferenceCounters[] | undefined {
    const { device } = this;
    device.live();
    if (device.running?.digest !== this.#serving.release?.digest) {
      this.#accrue(now);
      this.#serving.serve(device.running, now);
    }
    if (!device.online || now < this.#nextBeatAt) return undefined;
    this.#nextBeatAt += HEARTBEAT_MS;
    this.#accrue(now);
    return this.#serving.take();
  }

  #accrue(now: number): void {
    const { release, activeSince } = this.#serving;
    if (!release) return;
    const conduct = conductOf(this.#faults, this.profile, release, now - activeSince);
    this.#serving.accrue(now, conduct, INFERENCES_PER_SECOND, this.profile.latencyMs, this.#random);
  }
}
