import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildDemoModels } from "../models/build.ts";
import { Api } from "./api.ts";
import { ControlPlane } from "./control-plane.ts";
import { Device } from "./device.ts";
import { Feeder } from "./feeder.ts";
import { Operator } from "./operator.ts";
import { until } from "./wait.ts";

const IMPATIENT = {
  MUSTER_HEARTBEAT_SECONDS: "1",
  MUSTER_START_DELAY_SECONDS: "0",
  MUSTER_RECONNECT_MIN_SECONDS: "0.2",
  MUSTER_RECONNECT_MAX_SECONDS: "2",
  MUSTER_ACK_TIMEOUT_SECONDS: "2",
  MUSTER_INFERENCE_PORT: "0",
};

/** A control plane with its trust set up, one enrolled device and a sensor that feeds it. */
export class Plant {
  readonly directory = mkdtempSync(join(tmpdir(), "muster-e2e-"));
  readonly keys = join(this.directory, "keys");
  readonly controlPlane: ControlPlane;
  readonly device: Device;
  readonly feeder: Feeder;
  joinToken = "";

  constructor(env: Record<string, string> = {}, settings: Record<string, string | number> = {}) {
    this.controlPlane = new ControlPlane(this.directory, { heartbeatIntervalMs: 1000, ...settings });
    this.device = new Device({
      name: "press-1",
      site: "eu/berlin",
      directory: this.directory,
      env: { ...IMPATIENT, ...env },
    });
    this.feeder = new Feeder(this.device.inferenceSocket, 7, 10);
  }

  async start(): Promise<void> {
    await this.controlPlane.start();
    const operator = this.operator();
    await operator.json("keys", "init", "--keys", this.keys);
    await operator.json("trust", "init", "--keys", this.keys);
    const created = ["token", "create", "--site", this.device.site, "--uses", "1", "--keys", this.keys];
    this.joinToken = (await operator.json<{ token: string }>(...created)).token;
    this.startDevice();
    await until("the device to be online", 30_000, async () => {
      const fleet = await this.api().get<{ liveness: { online: number } }>("/fleet");
      return fleet.liveness.online === 1 || undefined;
    });
  }

  startDevice(): void {
    this.device.start(this.controlPlane.addresses.deviceUrl, this.joinToken);
  }

  operator(): Operator {
    const { operatorUrl } = this.controlPlane.addresses;
    return new Operator(this.directory, operatorUrl, this.controlPlane.operatorToken);
  }

  api(): Api {
    return new Api(this.controlPlane.addresses.operatorUrl, this.controlPlane.operatorToken);
  }

  /** Signs and uploads one of the vibration releases. @returns where its files lie */
  async release(version: string, ...options: string[]): Promise<string> {
    const models = await buildDemoModels();
    const family = models.families.find(({ name }) => name === "vibration");
    const built = family?.releases.find((release) => release.version === version);
    if (!built) throw new Error(`the demo models lack vibration ${version}`);
    await this.operator().json(
      "release",
      "create",
      "-f",
      join(built.directory, "release.json"),
      "--keys",
      this.keys,
      ...options,
    );
    return built.directory;
  }

  /** Rolls a release out to all and answers the rollout once it has ended. */
  async rollOut(version: string): Promise<RolloutEnd> {
    const args = ["--release", `vibration@${version}`, "--wave", "100%", "--soak", "0s", "--start"];
    const { id } = await this.operator().json<{ id: string }>("rollout", "create", ...args);
    return until(`the rollout of ${version} to end`, 90_000, async () => {
      const rollout = await this.api().get<RolloutEnd>(`/rollouts/${id}`);
      return ["completed", "reverted", "aborted", "paused"].includes(rollout.state) ? rollout : undefined;
    });
  }

  async reported(): Promise<DeviceFacts> {
    return this.api().get<DeviceFacts>(`/devices/${this.device.name}`);
  }

  async stop(): Promise<void> {
    await this.feeder.stop();
    await this.device.stop();
    await this.controlPlane.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export interface RolloutEnd {
  id: string;
  state: string;
  reason: string | null;
  failures: { code: string; devices: number }[];
}

export interface DeviceFacts {
  id: string;
  generation: number;
  running: { name: string; version: string } | null;
  storedResults: number;
}
