import { emptyJournal, type JournalState, type Order } from "@muster/agent/update/journal-state";
import { type Effect, effectOf, type JournalEvent, transition } from "@muster/agent/update/machine";
import { judgeProbation } from "@muster/agent/update/probation";
import { asMusterError, type ErrorCode, MusterError } from "@muster/shared/errors";
import type { UpdateBody } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { between, type Random } from "../../models/training/random.ts";
import { componentsOf } from "./components.ts";
import type { Conduct } from "./conduct.ts";
import type { DeviceProfile } from "./profile.ts";
import type { Serving } from "./serving.ts";
import type { DeviceSettings } from "./settings.ts";

/** Work that cannot go on without the network looks again after this time, milliseconds. */
const OFFLINE_RETRY_MS = 1_000;
const LIMITS = { maxRestarts: 5, maxTries: 5, stableMs: 600_000 };

export interface UpdatePorts {
  profile: DeviceProfile;
  settings: DeviceSettings;
  serving: Serving;
  random: Random;
  /** Manifest of a release, undefined while it is not there yet; then it is fetched. */
  manifest: (release: ReleaseRef) => ReleaseManifest | undefined;
  conduct: (release: ReleaseRef, activeMs: number) => Conduct;
  /** Brings what is served up to date. */
  accrue: (now: number) => void;
  /** Steps of the journal, in order. */
  tell: (records: readonly UpdateBody[]) => void;
  /** The wall clock of the device, milliseconds since the epoch. */
  wallClock: (now: number) => number;
  isOnline: () => boolean;
  /** Factor on all work. */
  slowness: () => number;
}

/**
 * Walks the agent's own update journal with work that only takes time. Which step follows, what is told and when
 * a release on probation is rolled back is decided by the very code that decides it on a real device.
 */
export class SimulatedUpdate {
  journal: JournalState = emptyJournal;
  /** When the work of this moment is done; infinite while there is none. */
  dueAt = Number.POSITIVE_INFINITY;
  readonly #ports: UpdatePorts;
  #work: Effect = "keep";
  #workKey = "";
  #beganAt = 0;

  constructor(ports: UpdatePorts) {
    this.#ports = ports;
  }

  /** The device comes with this release, as from the factory. */
  preinstall(release: ReleaseRef, now: number): void {
    this.journal = { ...emptyJournal, committed: release, active: release };
    this.#ports.serving.serve(release, now);
  }

  order(order: Order, now: number): void {
    const { active } = this.journal;
    const { serving } = this.#ports;
    const healthy =
      active === null
        ? serving.state === "idle"
        : serving.state === "ready" && serving.release?.digest === active.digest;
    this.apply({ type: "ordered", order, healthy }, now);
  }

  apply(event: JournalEvent, now: number): void {
    const context = { now: this.#ports.wallClock(now), limits: LIMITS };
    const { state, records } = transition(this.journal, event, context);
    this.journal = state;
    this.#ports.tell(records);
    this.#plan(now);
  }

  /** Nothing more is done. */
  stop(): void {
    this.dueAt = Number.POSITIVE_INFINITY;
  }

  /** The work that was due is done. */
  finish(now: number): void {
    this.dueAt = Number.POSITIVE_INFINITY;
    const work = this.#work;
    this.#work = "keep";
    this.#workKey = "";
    try {
      this.#done[work](this.journal.attempt?.order.release ?? null, now);
    } catch (error) {
      const { code, message } = asMusterError(error);
      this.apply({ type: "failed", kind: "final", failure: { code, message } }, now);
    }
  }

  #plan(now: number): void {
    const { attempt } = this.journal;
    const work = effectOf(this.journal);
    const key = attempt ? `${attempt.phase} ${attempt.order.release?.digest}` : "";
    if (work === this.#work && key === this.#workKey) return;
    this.#work = work;
    this.#workKey = key;
    this.#beganAt = now;
    this.dueAt = work === "keep" ? Number.POSITIVE_INFINITY : now + this.#duration(work);
  }

  #duration(work: Effect): number {
    const { settings, random, slowness } = this.#ports;
    if (work === "admit") return this.#shadowMs();
    if (work === "keep") return 0;
    if (work === "watch") return settings.probationSampleMs;
    const [shortest, longest] = settings.work[work];
    return between(random, shortest, longest) * slowness();
  }

  /** A simulated candidate agrees with everything, and takes its time for it. */
  #shadowMs(): number {
    const { active, attempt } = this.journal;
    const isBeside = active !== null && active.digest !== attempt?.order.release?.digest;
    return isBeside ? (attempt?.order.shadow?.seconds ?? 0) * 1000 : 0;
  }

  /** The same work goes on for a while. */
  #again(work: Effect, now: number, inMs: number): void {
    const { attempt } = this.journal;
    this.#work = work;
    this.#workKey = attempt ? `${attempt.phase} ${attempt.order.release?.digest}` : "";
    this.dueAt = now + inMs;
  }

  /** What is done when the work of each kind has taken its time. */
  readonly #done: Record<Effect, (release: ReleaseRef | null, now: number) => void> = {
    resolve: (release, now) => {
      const { manifest, profile } = this.#ports;
      const known = release && manifest(release);
      if (!known) this.#again("resolve", now, OFFLINE_RETRY_MS);
      else if (componentsOf(known, profile.hardware)) this.apply({ type: "resolved" }, now);
    },
    fetch: (_release, now) => {
      if (this.#ports.isOnline()) this.apply({ type: "fetched" }, now);
      else this.#again("fetch", now, OFFLINE_RETRY_MS);
    },
    stage: (release, now) => this.#stage(release, now),
    admit: (_release, now) => this.apply({ type: "admitted" }, now),
    activate: (release, now) => {
      this.#serve(release, now);
      this.apply({ type: "switched" }, now);
      this.apply({ type: "served" }, now);
    },
    watch: (release, now) => this.#watch(release, now),
    restore: (_release, now) => {
      this.#serve(this.journal.active, now);
      this.apply({ type: "restored" }, now);
    },
    keep: () => undefined,
  };

  #stage(release: ReleaseRef | null, now: number): void {
    if (release && this.#ports.conduct(release, 0).stageFails)
      throw new MusterError("model.golden-mismatch", "5 of 16 golden outputs differ.");
    this.apply({ type: "staged" }, now);
  }

  #serve(release: ReleaseRef | null, now: number): void {
    this.#ports.accrue(now);
    this.#ports.serving.serve(release, now);
  }

  #watch(release: ReleaseRef | null, now: number): void {
    const { accrue, serving, manifest, settings } = this.#ports;
    accrue(now);
    const rule = release && manifest(release)?.probation;
    if (serving.state === "failed") {
      this.#rollBack("runner.crashed", "The runner did not come back.", now);
      return;
    }
    const judged = rule ? judgeProbation(rule, serving.observed(), now - this.#beganAt) : undefined;
    if (judged?.verdict === "roll-back") this.#rollBack(judged.code, judged.message, now);
    else if (judged?.verdict === "wait") this.#again("watch", now, settings.probationSampleMs);
    else this.apply({ type: "passed" }, now);
  }

  #rollBack(code: ErrorCode, message: string, now: number): void {
    this.apply({ type: "failed", kind: "final", failure: { code, message } }, now);
  }
}
