import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Plant } from "../../plant/plant.ts";
import { until } from "../../plant/wait.ts";

interface Facts {
  id: string;
  generation: number;
  running: { name: string; version: string } | null;
  liveness: string;
}

/** A real control plane and a real agent, with releases of documents alone: made and taken in no time. */
export class Site {
  readonly plant = new Plant({ MUSTER_POLL_SECONDS: "1", MUSTER_POLL_ONLINE_SECONDS: "1" });

  static async open(): Promise<Site> {
    const site = new Site();
    await site.plant.start();
    return site;
  }

  async close(): Promise<void> {
    await this.plant.stop();
  }

  /** Signs and registers a release of one document. */
  async release(version: string, document: object = { version }): Promise<void> {
    const folder = join(this.plant.directory, `limits-${version}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "limits.json"), JSON.stringify(document));
    const spec = {
      schema: "muster.release-spec/1",
      name: "limits",
      version,
      components: [{ type: "config", name: "limits", version, document: "limits.json" }],
      probation: {
        ...{ minSeconds: 0, deadlineSeconds: 60, minInferences: 0, maxErrorRate: 1, maxP95Ms: 1000 },
        maxCrashes: 0,
      },
    };
    writeFileSync(join(folder, "release.json"), JSON.stringify(spec));
    const file = join(folder, "release.json");
    await this.plant.operator().json("release", "create", "-f", file, "--keys", this.plant.keys);
  }

  /** Starts a rollout to the one device and answers its id. */
  async startRollout(version: string): Promise<string> {
    const args = ["--release", `limits@${version}`, "--wave", "100%", "--soak", "0s", "--start"];
    return (await this.plant.operator().json<{ id: string }>("rollout", "create", ...args)).id;
  }

  async facts(): Promise<Facts> {
    return await this.plant.api().get<Facts>(`/devices/${this.plant.device.name}`);
  }

  async runs(version: string): Promise<void> {
    await this.until(`${version} to run`, (facts) => facts.running?.version === version);
  }

  async until(what: string, condition: (facts: Facts) => boolean): Promise<Facts> {
    return await until(what, 60_000, async () => {
      const facts = await this.facts();
      return condition(facts) ? facts : undefined;
    });
  }
}
