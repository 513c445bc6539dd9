import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Api } from "../plant/api.ts";
import { ControlPlane } from "../plant/control-plane.ts";
import { Device } from "../plant/device.ts";
import { Feeder } from "../plant/feeder.ts";
import { Operator } from "../plant/operator.ts";

const SITES: Readonly<Record<string, readonly string[]>> = {
  "eu/de/berlin-3": ["berlin-press-1", "berlin-press-2", "berlin-pump-1"],
  "eu/fr/lyon-1": ["lyon-line-1", "lyon-line-2", "lyon-fan-1"],
  "us/tx/austin-2": ["austin-mill-1", "austin-mill-2"],
};

/** Impatient settings: a demo of two minutes cannot wait for the defaults of a fleet. */
const AGENT_ENV = {
  MUSTER_HEARTBEAT_SECONDS: "2",
  MUSTER_START_DELAY_SECONDS: "0",
  MUSTER_RECONNECT_MIN_SECONDS: "0.5",
  MUSTER_RECONNECT_MAX_SECONDS: "4",
  MUSTER_ACK_TIMEOUT_SECONDS: "3",
  MUSTER_INFERENCE_PORT: "0",
};

const WINDOWS_PER_SECOND = 5;

/** Everybody who plays in the demo, all of them real processes. */
export class Cast {
  readonly directory = mkdtempSync(join(tmpdir(), "muster-demo-"));
  readonly controlPlane = new ControlPlane(this.directory, { heartbeatIntervalMs: 2000 });
  readonly devices = Object.entries(SITES).flatMap(([site, names]) =>
    names.map((name) => new Device({ name, site, directory: this.directory, env: AGENT_ENV })),
  );
  readonly feeders = new Map(
    this.devices.map((device, index) => [
      device.name,
      new Feeder(device.inferenceSocket, 100 + index, WINDOWS_PER_SECOND),
    ]),
  );

  get sites(): string[] {
    return Object.keys(SITES);
  }

  operator(): Operator {
    return new Operator(
      this.directory,
      this.controlPlane.addresses.operatorUrl,
      this.controlPlane.operatorToken,
    );
  }

  api(): Api {
    return new Api(this.controlPlane.addresses.operatorUrl, this.controlPlane.operatorToken);
  }

  counts(): { produced: number; failed: number } {
    const all = [...this.feeders.values()].map((feeder) => feeder.counts);
    return {
      produced: all.reduce((sum, { produced }) => sum + produced, 0),
      failed: all.reduce((sum, { failed }) => sum + failed, 0),
    };
  }

  startFeeders(): void {
    for (const feeder of this.feeders.values()) feeder.start();
  }

  async stopFeeders(): Promise<void> {
    await Promise.all([...this.feeders.values()].map((feeder) => feeder.stop()));
  }

  /** Ends every process and, unless they tell of a failure, takes data and logs away. */
  async leave(keepFiles: boolean): Promise<void> {
    await this.stopFeeders();
    await Promise.all(this.devices.map((device) => device.stop()));
    await this.controlPlane.stop();
    if (!keepFiles) rmSync(this.directory, { recursive: true, force: true });
  }
}
