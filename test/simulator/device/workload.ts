import type { ResultBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { Random } from "../../models/training/random.ts";
import { type Conduct, conductOf } from "./conduct.ts";
import type { DeviceWorld } from "./effects.ts";
import type { DeviceProfile } from "./profile.ts";
import { resultBody } from "./result.ts";
import { Serving } from "./serving.ts";

/** The applications on a box: they keep the runner busy and have some of its results kept. */
export class Workload {
  readonly serving = new Serving();
  /** Results that were made so far. */
  results = 0;
  /** Factor on inference times, besides what the release does. */
  latencyFactor = 1;
  readonly #profile: DeviceProfile;
  readonly #world: DeviceWorld;
  readonly #random: Random;

  constructor(profile: DeviceProfile, world: DeviceWorld, random: Random) {
    this.#profile = profile;
    this.#world = world;
    this.#random = random;
  }

  conduct(release: ReleaseRef, activeMs: number): Conduct {
    return conductOf(this.#world.faults, this.#profile, release, activeMs);
  }

  /** Brings what is served up to date. @returns true when the runner died meanwhile */
  accrue(now: number): boolean {
    const { serving } = this;
    if (!serving.release) return false;
    const conduct = this.conduct(serving.release, now - serving.activeSince);
    const medianMs = this.#profile.latencyMs * this.latencyFactor;
    serving.accrue(now, conduct, this.#world.settings.inferencesPerSecond, medianMs, this.#random);
    if (!conduct.dies || serving.state !== "ready") return false;
    serving.fail(now);
    return true;
  }

  /** The results to be kept of the time since the last call. @param room how many the outbox still takes */
  *keep(room: number): Iterable<ResultBody> {
    const { release, state } = this.serving;
    const manifest = release && this.#world.manifests.get(release.digest);
    if (state !== "ready" || !manifest) return;
    for (let left = Math.min(room, this.#world.settings.resultsPerTelemetry); left > 0; left -= 1) {
      const body = resultBody(this.results, manifest, this.#profile, this.#random);
      if (!body) return;
      this.results += 1;
      yield body;
    }
  }
}
