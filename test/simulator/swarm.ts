import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { TrustedKeys } from "@muster/shared/trust/signed-document";
import type { Conditions, DeviceWorld, Effect } from "./device/effects.ts";
import { DeviceModel } from "./device/model.ts";
import type { DeviceProfile } from "./device/profile.ts";
import type { FleetIdentity } from "./fleet/identity.ts";
import { type Broker, WireSession } from "./wire/session.ts";

export interface SwarmPorts {
  broker: Broker;
  keys: TrustedKeys;
  world: DeviceWorld;
  loadManifest: (release: ReleaseRef) => void;
}

/** Heartbeats keep a session alive: one may be lost without the broker giving it up. The broker allows 300 s. */
const keepaliveSeconds = (heartbeatMs: number): number =>
  Math.min(300, Math.max(30, Math.ceil((heartbeatMs * 2.5) / 1000)));

/** A device model with its socket and its timer. */
export class Actor {
  readonly model: DeviceModel;
  readonly identity: FleetIdentity;
  /** Sessions that were opened, the first one included. */
  sessions = 0;
  /** When it came online last, milliseconds since the epoch. */
  onlineAt = 0;
  readonly #ports: SwarmPorts;
  readonly #now: () => number;
  #session: WireSession | undefined;
  #frozen: WireSession | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(identity: FleetIdentity, profile: DeviceProfile, ports: SwarmPorts, now: () => number) {
    this.identity = identity;
    this.#ports = ports;
    this.#now = now;
    this.model = new DeviceModel(identity.id, profile, ports.keys, ports.world, identity.signing);
  }

  start(release: ReleaseRef | null): void {
    this.#do(this.model.start(release, this.#now()));
  }

  set(change: Partial<Conditions>): void {
    this.#do(this.model.set(change, this.#now()));
  }

  /** Hands the device a directive as if it had come over its connection. */
  offer(directive: Uint8Array): void {
    this.#do(this.model.hear("desired", directive, this.#now()));
  }

  /** Cuts the connection; the device comes back by itself. */
  cut(): void {
    if (!this.#session) return;
    this.#session.destroy();
    this.#session = undefined;
    this.#do(this.model.lost(this.#now()));
  }

  /** The path goes dead without a word: the other side only notices the silence. */
  silence(): void {
    this.#frozen = this.#session;
    this.#frozen?.freeze();
    this.#session = undefined;
    this.set({ uplink: false });
  }

  /** The path is back: what was left of the old connection is gone. */
  restore(): void {
    this.#frozen?.destroy();
    this.#frozen = undefined;
    this.set({ uplink: true });
  }

  stop(): void {
    this.#session?.goodbye();
    this.#session = undefined;
    this.#frozen?.destroy();
    this.#do(this.model.stop(this.#now()));
    clearTimeout(this.#timer);
  }

  #do(effects: readonly Effect[]): void {
    for (const effect of effects) this.#carryOut(effect);
    this.#arm();
  }

  #carryOut(effect: Effect): void {
    if (effect.do === "publish") this.#session?.publish(effect.channel, effect.payload, effect.qos);
    else if (effect.do === "connect") this.#connect(effect.session);
    else if (effect.do === "load-manifest") this.#ports.loadManifest(effect.release);
    else {
      this.#session?.destroy();
      this.#session = undefined;
    }
  }

  #connect(session: string): void {
    const { broker, world } = this.#ports;
    this.#session = new WireSession(
      broker,
      this.identity,
      {
        will: JSON.stringify({ v: 1, session }),
        keepaliveSeconds: keepaliveSeconds(world.settings.heartbeatMs),
        connectTimeoutMs: world.settings.connectTimeoutMs,
      },
      {
        online: () => {
          this.sessions += 1;
          this.onlineAt = this.#now();
          this.#do(this.model.connected(this.onlineAt));
        },
        message: (channel, payload) => this.#do(this.model.hear(channel, payload, this.#now())),
        lost: () => {
          this.#session = undefined;
          this.#do(this.model.lost(this.#now()));
        },
      },
    );
  }

  /** One timer for each device, moved only when something is due earlier than it. */
  #arm(): void {
    const { nextAt } = this.model;
    if (nextAt >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = nextAt;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Number.POSITIVE_INFINITY;
        this.#do(this.model.wake(this.#now()));
      },
      Math.max(0, Math.ceil(nextAt - this.#now())),
    );
  }
}

export interface SwarmCounts {
  devices: number;
  online: number;
  sessions: number;
  /** Records written to outboxes, and those that the control plane acknowledged. */
  produced: number;
  acknowledged: number;
  results: number;
  inferences: number;
  crashes: number;
}

/** Many simulated devices in this process. */
export class Swarm {
  readonly actors: readonly Actor[];

  constructor(
    identities: readonly FleetIdentity[],
    profiles: readonly DeviceProfile[],
    ports: SwarmPorts,
    now: () => number = Date.now,
  ) {
    this.actors = identities.map((identity) => new Actor(identity, profiles[identity.index]!, ports, now));
  }

  start(release: ReleaseRef | null): void {
    for (const actor of this.actors) actor.start(release);
  }

  stop(): void {
    for (const actor of this.actors) actor.stop();
  }

  /** Devices make no more results; what they have they still send. */
  quiet(): void {
    for (const { model } of this.actors) model.quiet();
  }

  counts(): SwarmCounts {
    const counts = {
      devices: 0,
      online: 0,
      sessions: 0,
      produced: 0,
      acknowledged: 0,
      results: 0,
      inferences: 0,
      crashes: 0,
    };
    for (const { model, sessions } of this.actors) {
      counts.devices += 1;
      counts.online += model.isOnline ? 1 : 0;
      counts.sessions += sessions;
      counts.produced += model.outbox.lastSeq;
      counts.acknowledged += model.outbox.ackedSeq;
      counts.results += model.workload.results;
      counts.inferences += model.workload.serving.inferencesTotal;
      counts.crashes += model.workload.serving.crashesTotal;
    }
    return counts;
  }
}
