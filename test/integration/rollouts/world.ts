import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Directory } from "@muster/control-plane/fleet/directory";
import type { Presence } from "@muster/control-plane/fleet/presence";
import { ArtifactStore } from "@muster/control-plane/releases/artifact-store";
import { ReleaseRegistry } from "@muster/control-plane/releases/registry";
import type { DecisionLimits } from "@muster/control-plane/rollouts/decide/types";
import { Directives } from "@muster/control-plane/rollouts/directives";
import { ExposureLedger } from "@muster/control-plane/rollouts/exposure/ledger";
import { Outlook } from "@muster/control-plane/rollouts/outlook";
import { RolloutService, type RolloutServiceSettings } from "@muster/control-plane/rollouts/service";
import { Starter } from "@muster/control-plane/rollouts/starting";
import { RolloutTick } from "@muster/control-plane/rollouts/tick";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { type OnlineKeys, openOnlineKeys } from "@muster/control-plane/trust/online-keys";
import { TrustRepository } from "@muster/control-plane/trust/repository";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ReleaseManifest } from "@muster/shared/protocol/release";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import { sha256 } from "@muster/shared/trust/digest";
import { type Behaviour, SimulatedDevice } from "./simulated-device.ts";

const CPU = {
  platform: "linux",
  arch: "x64",
  cpuModel: "simulated",
  cores: 2,
  memoryMiB: 1024,
  providers: ["cpu"],
};

/** Who acts in tests. */
export const ANNA = { id: "anna", name: "Anna" };

interface TickOptions {
  stores?: Pick<Stores, "control" | "controlRaw" | "writeControl">;
  directory?: Directory;
  ledger?: ExposureLedger;
  holder?: string;
  instructions?: number;
  limits?: Partial<DecisionLimits>;
}

export interface DevicePlan {
  site: string;
  behaviour?: Behaviour;
  labels?: Record<string, string>;
  hardware?: Partial<typeof CPU>;
}

const artifact = (name: string) => ({ name, digest: sha256(name), size: name.length });

export function manifestOf(name: string, sequence: number, variants = ["cpu"]): ReleaseManifest {
  const version = `${sequence}.0.0`;
  return {
    schema: "muster.release/1",
    name,
    version,
    sequence,
    components: [
      {
        type: "model",
        name: "bearing",
        version,
        variants: variants.map((provider) => ({
          id: `int8-${provider}`,
          precision: "int8",
          requires: { providers: [provider] },
          model: artifact(`${name}-${version}-${provider}.onnx`),
          golden: artifact("golden.json"),
          reference: artifact("reference.json"),
        })),
      },
      { type: "config", name: "limits", version, document: artifact(`${name}-${version}-limits.json`) },
    ],
    probation: {
      minSeconds: 0,
      deadlineSeconds: 60,
      minInferences: 0,
      maxErrorRate: 0.1,
      maxP95Ms: 100,
      maxCrashes: 0,
    },
  };
}

/** A control plane on real database files with a fleet that lives in this process; only the clock is ours. */
export class World {
  now = Date.parse("2026-11-22T08:00:00Z");
  readonly devices = new Map<string, SimulatedDevice>();
  readonly retained = new Map<string, string>();
  readonly logged: string[] = [];
  /** Set to make the broker refuse, as one that is just starting does. */
  brokerDown = false;
  readonly stores: Stores;
  readonly keys: OnlineKeys;
  readonly dir: string;
  readonly directory: Directory;
  readonly outlook = new Outlook();
  readonly ledger: ExposureLedger;

  private constructor(dir: string, stores: Stores, keys: OnlineKeys) {
    this.dir = dir;
    this.stores = stores;
    this.keys = keys;
    this.directory = this.loadDirectory();
    this.ledger = ExposureLedger.load(stores.telemetryRaw);
  }

  /** The fleet's presence is this world. */
  loadDirectory(stores: Pick<Stores, "controlReader"> = this.stores): Directory {
    return Directory.load(stores, this as unknown as Presence, this.clock);
  }

  static async open(): Promise<World> {
    const dir = await mkdtemp(join(tmpdir(), "muster-rollouts-"));
    const stores = await openStores(dir);
    // The promise under test is what a transaction holds, not what a disk does in a power cut.
    stores.controlRaw.pragma("synchronous = OFF");
    return new World(dir, stores, await openOnlineKeys(join(dir, "keys")));
  }

  async close(): Promise<void> {
    await this.stores.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  clock = () => this.now;

  /** What the directory asks of the fleet's presence, at the moment that it asks. */
  of = (id: string) => {
    const { devices } = this;
    return {
      get liveness() {
        return devices.get(id)?.online ? ("online" as const) : ("offline" as const);
      },
      lastSeenAt: null,
    };
  };

  publishDown = async (device: string, _channel: "desired", payload: string): Promise<void> => {
    if (this.brokerDown) throw new Error("the broker is not up yet");
    this.retained.set(device, payload);
  };

  releases(): ReleaseRegistry {
    const { control: db } = this.stores;
    const { clock } = this;
    const trust = new TrustRepository({ db, keys: this.keys, clock });
    const artifacts = new ArtifactStore(join(this.dir, "artifacts"));
    return new ReleaseRegistry({ db, trust, artifacts, clock });
  }

  /** A tick of the one control plane that there is, unless it has another `holder`. */
  tick(given: TickOptions = {}): RolloutTick {
    const { stores = this.stores, instructions = 100, holder = "plane", directory = this.directory } = given;
    return new RolloutTick({
      stores,
      directory,
      directives: new Directives(this.keys.directive, this.clock),
      starter: new Starter(stores, directory, this.releases()),
      ledger: given.ledger ?? this.ledger,
      outlook: this.outlook,
      holder,
      publishDown: this.publishDown,
      clock: this.clock,
      log: {
        info: () => {},
        error: (fields, message) => this.logged.push(`${message}: ${inspect(fields)}`),
      },
      limits: { instructions, tickMs: 10_000, ...given.limits },
    });
  }

  service(
    random: (bytes: number) => Uint8Array = randomBytes,
    settings: Partial<RolloutServiceSettings> = {},
  ): RolloutService {
    return new RolloutService({
      stores: this.stores,
      releases: this.releases(),
      directory: this.directory,
      outlook: this.outlook,
      clock: this.clock,
      random,
      ...settings,
    });
  }

  /** Registers a release as the registry does; its signing has tests of its own. */
  async addRelease(manifest: ReleaseManifest): Promise<ReleaseRef> {
    const text = canonicalJson(manifest);
    const { name, version, sequence } = manifest;
    const digest = sha256(text);
    await this.stores.control
      .insertInto("releases")
      .values({ name, version, sequence, digest, manifest: text, size: 1, created_at: this.now })
      .execute();
    return { name, version, sequence, digest };
  }

  digestOf(manifest: ReleaseManifest): string {
    return sha256(canonicalJson(manifest));
  }

  /** Enrolls devices d…a, d…b and so on, all of which run `running`. */
  async addDevices(plans: readonly DevicePlan[], running: ReleaseRef | null, manifests: ReleaseManifest[]) {
    for (const plan of plans) {
      const index = this.devices.size;
      const id = `d${"a".repeat(18)}${BASE32[index >> 5]}${BASE32[index & 31]}`;
      const hardware = { ...CPU, ...plan.hardware };
      const device = new SimulatedDevice(id, plan.behaviour ?? {}, this, manifests, running);
      this.devices.set(id, device);
      await this.stores.control
        .insertInto("devices")
        .values({
          id,
          name: `box-${index}`,
          site: plan.site,
          labels: JSON.stringify(plan.labels ?? {}),
          signing_key: "00",
          hardware: JSON.stringify(hardware),
          hardware_class: `${hardware.platform}-${hardware.arch}-${hardware.providers[0] ?? "none"}`,
          status: "active",
          enrolled_at: this.now,
          join_token: null,
          certificate_serial: "1",
          certificate_expires_at: this.now,
          generation: 0,
          directive: null,
          reported: null,
          reported_session: null,
          reported_seq: 0,
          reported_at: null,
          running_digest: null,
          agent_version: null,
          last_seen_at: null,
          revoked_at: null,
          revoked_reason: null,
        })
        .execute();
      device.report();
    }
  }

  /** The fleet lives on for `seconds`, in steps of ten: devices act, then the control plane ticks. */
  async pass(seconds: number, tick: RolloutTick, each: () => Promise<void> = async () => {}): Promise<void> {
    for (let passed = 0; passed < seconds; passed += 10) {
      this.now += 10_000;
      for (const device of this.devices.values()) device.live();
      await tick.run();
      await each();
    }
  }

  /** What each device is told to be. */
  directives(): unknown[] {
    const rows = this.stores.controlRaw.prepare("SELECT directive FROM devices ORDER BY id").all() as {
      directive: string | null;
    }[];
    return rows.map(({ directive }) => directive && JSON.parse(directive).payload);
  }

  statuses(): Record<string, string> {
    const rows = this.stores.controlRaw.prepare("SELECT device, status FROM rollout_devices").all() as {
      device: string;
      status: string;
    }[];
    return Object.fromEntries(rows.map(({ device, status }) => [device, status]));
  }
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
