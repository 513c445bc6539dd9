import { type LinkEffect, type LinkEvent, type LinkState, stepLink } from "@muster/agent/link/link-machine";
import { Challenge } from "@muster/shared/protocol/evidence";
import { Ack } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReportedState } from "@muster/shared/protocol/state";
import type { DownChannel } from "@muster/shared/protocol/topics";
import { decodeMessage } from "@muster/shared/protocol/wire";
import type { SigningKey } from "@muster/shared/trust/ed25519";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import { pick, type Random, seededRandom } from "../../models/training/random.ts";
import { componentsOf } from "./components.ts";
import { Desired } from "./desired.ts";
import { CALM, type Conditions, type DeviceWorld, type Effect } from "./effects.ts";
import { SimulatedEvidence } from "./evidence.ts";
import { SimulatedOutbox } from "./outbox.ts";
import type { DeviceProfile } from "./profile.ts";
import { Speech } from "./speech.ts";
import { Timers } from "./timers.ts";
import { SimulatedUpdate } from "./update.ts";
import { Vitals } from "./vitals.ts";
import { Workload } from "./workload.ts";

const TIMERS = ["link", "beat", "state", "telemetry", "resend"] as const;
/** Changes of state that come together are told together, as the agent does, milliseconds. */
const COALESCE_MS = 50;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/**
 * One device without its sockets: what it does follows from its seed, the clock readings it is given and what it
 * is told. Times are milliseconds of the simulator's clock. Not simulated: the slow path over HTTPS, renewal of
 * certificates, restarts of the agent.
 */
export class DeviceModel {
  readonly id: string;
  readonly profile: DeviceProfile;
  readonly outbox: SimulatedOutbox;
  readonly workload: Workload;
  readonly update: SimulatedUpdate;
  readonly evidence: SimulatedEvidence;
  /** Releases that were ever activated here, by digest: the truth that a rollout is measured against. */
  readonly visited = new Set<string>();
  readonly #world: DeviceWorld;
  readonly #random: Random;
  readonly #vitals: Vitals;
  readonly #boot: string;
  readonly #timers = new Timers(TIMERS);
  readonly #desired: Desired;
  #conditions: Conditions = CALM;
  #link: LinkState = { name: "idle" };
  #speech = new Speech("");
  #effects: Effect[] = [];

  constructor(
    id: string,
    profile: DeviceProfile,
    keys: TrustedKeys,
    world: DeviceWorld,
    signing: SigningKey,
  ) {
    this.id = id;
    this.profile = profile;
    this.#world = world;
    this.#desired = new Desired(id, keys);
    this.#random = seededRandom(profile.seed);
    this.outbox = new SimulatedOutbox(this.#newId());
    this.#boot = this.#newId();
    this.evidence = new SimulatedEvidence(id, signing, this.#boot);
    this.workload = new Workload(profile, world, this.#random);
    this.#vitals = new Vitals(profile, this.#random);
    this.update = new SimulatedUpdate({
      profile,
      settings: world.settings,
      serving: this.workload.serving,
      random: this.#random,
      manifest: (release) => {
        const known = world.manifests.get(release.digest);
        if (!known) this.#effects.push({ do: "load-manifest", release });
        return known;
      },
      conduct: (release, activeMs) => this.workload.conduct(release, activeMs),
      accrue: (now) => this.#accrue(now),
      tell: (records) => {
        const at = this.#wallClock(this.#now);
        for (const body of records) this.outbox.append({ kind: "update", at, body });
        this.#stateChanged();
      },
      wallClock: (now) => this.#wallClock(now),
      isOnline: () => this.isOnline,
      slowness: () => this.#conditions.slowness,
    });
  }

  /** Clock reading of the call under way. */
  #now = 0;

  get isOnline(): boolean {
    return this.#link.name === "online";
  }

  /** When `wake` is to be called next. */
  get nextAt(): number {
    return Math.min(this.update.dueAt, this.#timers.nextAt);
  }

  /** @param release what the device runs from the factory */
  start(release: ReleaseRef | null, now: number): Effect[] {
    return this.#at(now, () => {
      if (release) {
        this.update.preinstall(release, now);
        this.visited.add(release.digest);
      }
      this.#vitals.start(now);
      const { telemetryMs } = this.#world.settings;
      if (telemetryMs > 0) this.#timers.set("telemetry", now + this.#random() * telemetryMs);
      this.#step("start");
    });
  }

  stop(now: number): Effect[] {
    return this.#at(now, () => {
      this.#step("stop");
      this.#timers.clear(...TIMERS);
      this.update.stop();
    });
  }

  /** The session is open and subscribed. */
  connected(now: number): Effect[] {
    return this.#at(now, () => {
      this.#vitals.connected(now);
      this.#step("connected");
      // Before anything is sent: a later batch ahead of an earlier one would look like records that were evicted.
      this.outbox.reopen();
      const box = { boot: this.#boot, hardware: this.profile.hardware };
      this.#effects.push(this.#speech.birth(this.#wallClock(now), box, this.reported(), this.outbox));
      this.#state();
      this.#timers.set("beat", now + this.#random() * this.#world.settings.heartbeatMs);
    });
  }

  /** The connection ended or did not come about. */
  lost(now: number): Effect[] {
    return this.#at(now, () => this.#lost());
  }

  set(change: Partial<Conditions>, now: number): Effect[] {
    return this.#at(now, () => {
      this.#accrue(now);
      this.#conditions = { ...this.#conditions, ...change };
      this.workload.latencyFactor = this.#conditions.latencyFactor;
      if (change.uplink === false && (this.#link.name === "online" || this.#link.name === "connecting")) {
        this.#effects.push({ do: "close" });
        this.#lost();
      }
    });
  }

  /** A message came. What cannot be understood is dropped, as the agent does. */
  hear(channel: DownChannel, payload: Uint8Array, now: number): Effect[] {
    return this.#at(now, () => {
      if (channel === "ack") {
        const { outbox, upTo } = decodeMessage(Ack, payload);
        if (this.outbox.acknowledge(outbox, upTo, now)) this.#pump();
      } else if (channel === "challenge") this.#answer(decodeMessage(Challenge, payload));
      else if (channel === "desired" && payload.byteLength > 0) this.#consider(payload);
    });
  }

  /** Does all that is due by now. */
  wake(now: number): Effect[] {
    return this.#at(now, () => {
      if (this.#timers.isDue("link", now)) this.#step(this.#link.name === "online" ? "stable" : "due");
      if (this.#timers.isDue("telemetry", now)) this.#telemetry();
      if (this.#timers.isDue("resend", now)) this.#pump();
      if (this.#timers.isDue("state", now)) this.#state();
      if (this.#timers.isDue("beat", now)) this.#beat();
      for (let steps = 0; steps < 8 && this.update.dueAt <= now; steps += 1) this.update.finish(now);
      const { state, release } = this.workload.serving;
      if (state === "ready" && release) this.visited.add(release.digest);
      this.#tellChange();
    });
  }

  /** From now on the applications on the box make no results. */
  quiet(): void {
    this.#timers.clear("telemetry");
  }

  /** What the device says about itself. */
  reported(): ReportedState {
    const { attempt, lastResult } = this.update.journal;
    const { release, state } = this.workload.serving;
    const manifest = release && this.#world.manifests.get(release.digest);
    const isReady = state === "ready" && manifest;
    return {
      generation: this.#desired.generation,
      running: isReady ? release : null,
      components: isReady ? componentsOf(manifest, this.profile.hardware) : [],
      runner: state,
      update: attempt && {
        generation: attempt.order.generation,
        release: attempt.order.release,
        phase: attempt.phase,
        since: attempt.since,
      },
      lastResult,
      refused: this.#desired.refused,
    };
  }

  #at(now: number, work: () => void): Effect[] {
    this.#now = now;
    this.#effects = [];
    work();
    return this.#effects;
  }

  #step(event: LinkEvent): void {
    const { state, effects } = stepLink(this.#link, event, this.#world.settings.reconnect, this.#random());
    this.#link = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: LinkEffect): void {
    this.#timers.clear("link");
    if (effect.do === "wait") this.#timers.set("link", this.#now + effect.ms);
    else if (effect.do === "await-stable")
      this.#timers.set("link", this.#now + this.#world.settings.stableAfterMs);
    else if (effect.do === "close") {
      this.#vitals.disconnected(this.#now);
      this.#effects.push({ do: "close" });
    } else if (this.#conditions.uplink) {
      const session = this.#newId();
      this.#speech = new Speech(session);
      this.#effects.push({ do: "connect", session });
    } else this.#lost();
  }

  #lost(): void {
    this.#vitals.disconnected(this.#now);
    this.#timers.clear("beat", "state", "resend");
    this.#step("lost");
  }

  #consider(received: Uint8Array): void {
    const at = this.#wallClock(this.#now);
    const considered = this.#desired.consider(received, at);
    if (considered.verdict === "current") return;
    if (considered.verdict === "newer") {
      const { generation, rollout, release, notAfter, shadow } = considered.payload;
      this.update.order({ generation, rollout, release, notAfter, shadow }, this.#now);
    } else {
      const { code, message } = considered.error;
      const body = { code, message: `Directive ${considered.generation}: ${message}` };
      this.outbox.append({ kind: "event", at, body });
    }
    this.#stateChanged();
  }

  #answer(challenge: Challenge): void {
    if (challenge.session !== this.#speech.session || !this.isOnline) return;
    const at = this.#wallClock(this.#now);
    for (const link of this.evidence.answer(challenge, this.reported(), this.update.journal, at))
      this.#effects.push(this.#speech.evidence(link));
  }

  /** What runs has changed: that becomes a link of the evidence chain, asked or not. */
  #tellChange(): void {
    const at = this.#wallClock(this.#now);
    const link = this.evidence.ifChanged(this.reported(), this.update.journal, at);
    if (!link) return;
    this.outbox.append({ kind: "evidence", at, body: link });
    this.#pump();
  }

  #accrue(now: number): void {
    if (this.workload.accrue(now)) this.#stateChanged();
  }

  #telemetry(): void {
    const { telemetryMs, outboxRecords } = this.#world.settings;
    this.#timers.set("telemetry", this.#now + telemetryMs);
    const at = this.#wallClock(this.#now);
    for (const body of this.workload.keep(outboxRecords - this.outbox.waiting))
      this.outbox.append({ kind: "result", at, body });
    this.#pump();
  }

  #pump(): void {
    if (!this.isOnline) return;
    const { drain } = this.#world.settings;
    for (const rows of this.outbox.take(drain, this.#now))
      this.#effects.push(this.#speech.batch(this.outbox.id, rows));
    this.#timers.set("resend", this.outbox.deadline(drain));
  }

  #stateChanged(): void {
    if (this.isOnline) this.#timers.setEarliest("state", this.#now + COALESCE_MS);
  }

  #state(): void {
    this.#timers.clear("state");
    this.#effects.push(this.#speech.state(this.#wallClock(this.#now), this.reported()));
    this.#pump();
  }

  #beat(): void {
    this.#timers.set("beat", this.#now + this.#world.settings.heartbeatMs);
    this.#accrue(this.#now);
    const { serving } = this.workload;
    const vitals = this.#vitals.take(this.#now, this.outbox.bytes, serving.crashesTotal);
    const beat = { ...vitals, inference: serving.take() };
    this.#effects.push(this.#speech.heartbeat(this.#wallClock(this.#now), beat));
  }

  #wallClock(now: number): number {
    return Math.round(now + this.#conditions.skewMs);
  }

  #newId(): string {
    const drawn = Array.from({ length: 12 }, () => ALPHABET[pick(this.#random, ALPHABET.length)]);
    return `${this.#world.run}${drawn.join("")}`;
  }
}
