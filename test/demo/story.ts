import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DemoModels } from "../models/build.ts";
import { until } from "../plant/wait.ts";
import type { Cast } from "./cast.ts";
import {
  type AttestationFacts,
  type AuditFacts,
  devicesPerRelease,
  type FleetFacts,
  type RolloutEvent,
  type RolloutFacts,
  toldDevices,
} from "./facts.ts";
import type { Narrator } from "./narrator.ts";
import { progressLine } from "./progress.ts";
import type { Summary } from "./summary.ts";

const OUTAGE_SECONDS = 10;

/** The six acts, each of which ends only when what it shows is true. */
export class Story {
  readonly #cast: Cast;
  readonly #models: DemoModels;
  readonly #narrator: Narrator;
  readonly #keys: string;

  constructor(cast: Cast, models: DemoModels, narrator: Narrator) {
    this.#cast = cast;
    this.#models = models;
    this.#narrator = narrator;
    this.#keys = join(cast.directory, "keys");
  }

  async tell(): Promise<Summary> {
    await this.#enroll();
    await this.#firstRelease();
    await this.#goodRelease();
    const bad = await this.#badRelease();
    const outage = await this.#outage();
    const account = await this.#account();
    return { ...account, ...bad, ...outage, ...(await this.#inspect()) };
  }

  async #enroll(): Promise<void> {
    const { controlPlane, devices, sites } = this.#cast;
    this.#narrator.chapter("1. A control plane and eight boxes at three sites");
    await controlPlane.start();
    const operator = this.#cast.operator();
    await operator.json("keys", "init", "--keys", this.#keys);
    await operator.json("trust", "init", "--keys", this.#keys);
    this.#narrator.say("The control plane runs; the trust root is signed with keys it has never seen.");
    for (const site of sites) {
      const here = devices.filter((device) => device.site === site);
      const uses = String(here.length);
      const args = ["token", "create", "--site", site, "--uses", uses, "--keys", this.#keys];
      const { token } = await operator.json<{ token: string }>(...args);
      for (const device of here) device.start(controlPlane.addresses.deviceUrl, token);
    }
    await until("all devices to be online", 60_000, async () => {
      const fleet = await this.#fleet();
      this.#narrator.progress(`${fleet.liveness.online} of ${devices.length} devices are online.`);
      return fleet.liveness.online === devices.length ? fleet : undefined;
    });
    this.#narrator.say(`${devices.length} agents have enrolled and are online. They run nothing yet.`);
  }

  async #firstRelease(): Promise<void> {
    this.#narrator.chapter("2. A first release, and sensors that use it");
    this.#cast.startFeeders();
    this.#narrator.say("A vibration sensor on each box asks five times a second; nobody answers yet.");
    await this.#release("1.0.0");
    await this.#rollOut("1.0.0", ["100%"], "completed");
    this.#narrator.say("Every answer to a sensor is on the disk of its box before it is given.");
  }

  async #goodRelease(): Promise<void> {
    this.#narrator.chapter("3. A better release, in waves, under live traffic");
    await this.#release("1.1.0");
    await this.#rollOut("1.1.0", ["2", "50%"], "completed");
    this.#narrator.say(
      `No request failed on the way: ${this.#cast.counts().failed} of ${this.#cast.counts().produced}.`,
    );
  }

  async #badRelease(): Promise<
    Pick<Summary, "secondsToCatch" | "secondsToRevert" | "devicesThatSawTheBadRelease">
  > {
    this.#narrator.chapter("4. A bad release: right answers, far too late");
    await this.#release("1.2.0-slow");
    const rollout = await this.#rollOut("1.2.0-slow", ["2", "50%"], "reverted");
    const events = await this.#cast.operator().json<RolloutEvent[]>("rollout", "events", rollout.id);
    const caught = events.find((event) => event.kind === "gate-violated");
    if (!caught) throw new Error("no event tells that the gate was violated");
    this.#narrator.say(caught.sentence);
    const { startedAt, endedAt } = rollout;
    const seconds = (from: number, to: number) => Math.round((to - from) / 100) / 10;
    return {
      devicesThatSawTheBadRelease: toldDevices(rollout),
      secondsToCatch: seconds(startedAt, caught.at),
      secondsToRevert: seconds(caught.at, endedAt ?? Number.NaN),
    };
  }

  async #outage(): Promise<Pick<Summary, "resultsProducedDuringOutage">> {
    const { controlPlane } = this.#cast;
    this.#narrator.chapter("5. The control plane is gone");
    const before = this.#cast.counts().produced;
    await controlPlane.stop("power-cut");
    this.#narrator.say(`Its power was cut. The boxes go on for ${OUTAGE_SECONDS} s without it.`);
    for (let second = 1; second <= OUTAGE_SECONDS; second += 1) {
      await sleep(1000);
      this.#narrator.progress(`${this.#cast.counts().produced - before} results without a control plane.`);
    }
    const resultsProducedDuringOutage = this.#cast.counts().produced - before;
    if (resultsProducedDuringOutage === 0) throw new Error("no result was produced during the outage");
    await controlPlane.start();
    this.#narrator.say(
      `${resultsProducedDuringOutage} results were produced meanwhile. It is back; they travel now.`,
    );
    return { resultsProducedDuringOutage };
  }

  /** Stops the sensors and waits until what was answered is what is stored. */
  async #account(): Promise<
    Pick<
      Summary,
      "devices" | "sites" | "resultsProduced" | "resultsStored" | "requestsFailed" | "devicesPerRelease"
    >
  > {
    await this.#cast.stopFeeders();
    const { produced, failed } = this.#cast.counts();
    const fleet = await until(`${produced} results to be stored`, 45_000, async () => {
      const now = await this.#fleet();
      return now.storedResults >= produced && now.liveness.online === this.#cast.devices.length
        ? now
        : undefined;
    });
    this.#narrator.say(`${produced} results were answered, ${fleet.storedResults} are stored.`);
    return {
      devices: this.#cast.devices.length,
      sites: this.#cast.sites.length,
      resultsProduced: produced,
      resultsStored: fleet.storedResults,
      requestsFailed: failed,
      devicesPerRelease: devicesPerRelease(fleet),
    };
  }

  /** Waits until each box has proved with fresh evidence that it runs what it was told, and has the record checked. */
  async #inspect(): Promise<Pick<Summary, "devicesThatPass" | "auditEntries">> {
    this.#narrator.chapter("6. Who passes muster, and who did what");
    const operator = this.#cast.operator();
    const all = this.#cast.devices.length;
    const { devices, counts } = await until("every device to pass", 60_000, async () => {
      const now = await operator.json<AttestationFacts>("attestation", "status");
      this.#narrator.progress(`${now.counts.affirming} of ${all} devices have a verdict of affirming.`);
      return now.counts.affirming === all ? now : undefined;
    });
    this.#narrator.say(`Each signed a fresh challenge. The first: ${devices[0]?.sentence ?? ""}`);
    const audit = await operator.json<AuditFacts>("audit", "verify");
    this.#narrator.say(
      `${audit.entries} entries of the audit log: each is signed, none is missing or in another place.`,
    );
    return { devicesThatPass: counts.affirming, auditEntries: audit.entries };
  }

  async #release(version: string): Promise<void> {
    const family = this.#models.families.find(({ name }) => name === "vibration");
    const built = family?.releases.find((release) => release.version === version);
    if (!built) throw new Error(`the demo models lack vibration ${version}`);
    const spec = join(built.directory, "release.json");
    await this.#cast.operator().json("release", "create", "-f", spec, "--keys", this.#keys);
    this.#narrator.say(`vibration ${version} is signed offline and uploaded, as int8 and fp32.`);
  }

  async #rollOut(version: string, waves: readonly string[], end: string): Promise<RolloutFacts> {
    const operator = this.#cast.operator();
    const sizes = waves.flatMap((wave) => ["--wave", wave]);
    const args = [
      "--release",
      `vibration@${version}`,
      ...sizes,
      "--soak",
      "2s",
      "--timeout",
      "60s",
      "--start",
    ];
    const { id } = await operator.json<RolloutFacts>("rollout", "create", ...args);
    let last: RolloutFacts | undefined;
    const rollout = await until(
      `the rollout of ${version} to end`,
      120_000,
      async () => {
        const now = await this.#cast.api().get<RolloutFacts>(`/rollouts/${id}`);
        if (last && (last.wave !== now.wave || last.state !== now.state)) this.#narrator.keep();
        last = now;
        this.#narrator.progress(progressLine(now));
        return ["completed", "reverted", "aborted", "paused"].includes(now.state) ? now : undefined;
      },
      1000,
    );
    this.#narrator.keep();
    if (rollout.state !== end)
      throw new Error(
        `the rollout of ${version} is ${rollout.state} and not ${end}: ${rollout.reason ?? ""}`,
      );
    return rollout;
  }

  #fleet(): Promise<FleetFacts> {
    return this.#cast.api().get<FleetFacts>("/fleet");
  }
}
