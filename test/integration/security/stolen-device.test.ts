import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { AuditEntryResource } from "@muster/control-plane/api/schemas/audit";
import { until } from "../../plant/wait.ts";
import { Site } from "./site.ts";

/** The box is gone, runs somewhere else, and is still online. */
describe("a stolen device", () => {
  let site: Site;
  before(async () => {
    site = await Site.open();
  });
  after(() => site?.close());

  const secretFile = () => join(site.plant.device.dataDirectory, "secrets", "camera");
  const setSecret = async (value: string) => {
    const file = join(site.plant.directory, "value");
    writeFileSync(file, value);
    const args = ["secret", "set", "camera", "--device", site.plant.device.name, "--from-file", file];
    await site.plant.operator().json(...args);
  };
  const actions = async () =>
    (await site.plant.operator().json<AuditEntryResource[]>("audit", "list", "--subject", "device")).map(
      ({ action }) => action,
    );

  it("got what it was to get while it passed", async () => {
    await site.release("1.0.0");
    await site.release("2.0.0");
    await site.startRollout("1.0.0");
    await site.runs("1.0.0");
    await setSecret("first");
    await until("the secret to be on the box", 30_000, async () => existsSync(secretFile()) || undefined);
    assert.equal(readFileSync(secretFile(), "utf8"), "first");
    assert.ok((await actions()).includes("secret.deliver"));
  });

  it("gets nothing new in quarantine: no directive, no secret", async () => {
    const { plant } = site;
    await plant.operator().json("device", "quarantine", plant.device.name, "--reason", "not at its site");
    const rollout = await site.startRollout("2.0.0");
    await setSecret("second");
    const { devices } = await until("the rollout to say so", 30_000, async () => {
      const page = await plant
        .api()
        .get<{ devices: { status: string; held: string | null }[] }>(`/rollouts/${rollout}/devices`);
      return page.devices[0]?.held === "withheld" ? page : undefined;
    });
    assert.equal(devices[0]?.status, "waiting");
    // Several polls of directive and secrets by the box.
    await delay(4000);
    const facts = await site.facts();
    assert.deepEqual([facts.running?.version, facts.generation], ["1.0.0", 1]);
    assert.equal(readFileSync(secretFile(), "utf8"), "first");
    assert.ok((await actions()).includes("device.quarantined"));
  });

  it("gets what waited once somebody released it", async () => {
    await site.plant.operator().json("device", "release", site.plant.device.name);
    await site.runs("2.0.0");
    await until("the new secret", 60_000, async () =>
      readFileSync(secretFile(), "utf8") === "second" ? true : undefined,
    );
  });

  it("is cut off at once when it is revoked, and let in by nobody any more", async () => {
    const { plant } = site;
    await plant.operator().json("device", "revoke", plant.device.name, "--reason", "stolen");
    await site.until("its session to end", ({ liveness }) => liveness === "offline");
    await plant.device.stop();
    site.plant.startDevice();
    await delay(3000);
    assert.equal((await site.facts()).liveness, "offline");
    assert.ok((await actions()).includes("device.revoked"));
  });
});
