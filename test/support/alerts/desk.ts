import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Alerts } from "@muster/control-plane/alerts/alerts";
import type { ReceiverInput } from "@muster/control-plane/alerts/receiver";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { deviceAt, ScriptedFleet } from "./scripted-fleet.ts";

/** Alerting on real databases, with a fleet and a clock that the test moves. */
export class AlertDesk {
  readonly fleet = new ScriptedFleet();
  readonly dir: string;
  now = Date.UTC(2026, 10, 22, 12);
  stores!: Stores;
  alerts!: Alerts;

  private constructor(dir: string) {
    this.dir = dir;
    for (const site of ["a", "b"])
      for (let box = 0; box < 3; box += 1) this.fleet.add(deviceAt(`${site}${box}`, `eu/${site}`));
  }

  static async open(): Promise<AlertDesk> {
    const desk = new AlertDesk(await mkdtemp(join(tmpdir(), "muster-alerts-")));
    await desk.start();
    return desk;
  }

  /** @param absentSeconds for which no control plane has looked before */
  async start(absentSeconds = 0): Promise<void> {
    this.stores = await openStores(this.dir);
    this.alerts = await Alerts.open({
      stores: this.stores,
      source: this.fleet,
      clock: () => this.now,
      random: () => 0,
      log: { error: () => {}, warn: () => {} },
      absence: { from: this.now - absentSeconds * 1000, to: this.now },
    });
  }

  /** As the next process finds it. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.alerts.close();
    await this.stores.close();
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Some time later everything is looked at. */
  async after(seconds: number): Promise<void> {
    this.now += seconds * 1000;
    await this.alerts.evaluate();
  }

  /** A receiver that is told at once. */
  async receiver(name: string, given: ReceiverInput): Promise<string | null> {
    const quick = { groupWaitSeconds: 0, groupIntervalSeconds: 1 };
    return (await this.alerts.setReceiver(name, { ...quick, ...given }, "test")).madeSecret;
  }

  /** A rule without a wait: `hot` where a device has a load above 90. */
  async hotRule(): Promise<void> {
    await this.alerts.rules.set("hot", { signal: "loadPerCore", above: 90 }, "test");
  }
}
