import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutService } from "@muster/control-plane/rollouts/service";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const BAD = manifestOf("vibration", 2, ["cpu", "cuda"]);
const QUICK = { soakSeconds: 0, metrics: [] };

async function fleet(plans: readonly DevicePlan[]): Promise<World> {
  const world = await World.open();
  const manifests = [OLD, BAD];
  const [old] = await Promise.all(manifests.map((manifest) => world.addRelease(manifest)));
  await world.addDevices(plans, old ?? null, manifests);
  return world;
}

const begin = async (service: RolloutService, more: object = {}) => {
  const release = { name: "vibration", version: "2.0.0" };
  const plan = { release, waves: [], gate: QUICK, blastRadius: {}, windows: "any", ...more };
  const { id } = await service.create(plan, ANNA);
  return (await service.start(id, ANNA)).id;
};

test("stragglers are not told a release that another rollout put in quarantine meanwhile", async () => {
  const world = await fleet([
    { site: "a" },
    { site: "a", behaviour: { offlineFrom: 0, offlineUntil: 30 } },
    { site: "b", behaviour: { onUpdate: "roll-back" } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    for (const device of world.devices.values()) device.live();
    const good = await begin(service, { selector: "site=a", timeouts: { total: 60 } });
    await world.pass(100, tick);
    assert.equal((await service.get(good)).state, "completed");
    await begin(service, { selector: "site=b" });
    await world.pass(60, tick);
    await world.pass(240, tick);
    const [, straggler] = [...world.devices.values()];
    assert.equal(straggler?.online, true);
    assert.deepEqual(straggler?.visited, []);
    const view = await service.get(good);
    assert.deepEqual([view.counts.skipped, view.counts.waiting], [1, 0]);
    const devices = (await service.devices(good)).devices;
    assert.equal(devices.find(({ status }) => status === "skipped")?.outcome, "quarantined");
    assert.match(
      (await service.events(good)).at(-1)?.sentence ?? "",
      /quarantine for linux-x64-cpu: 1 device is not told/,
    );
  } finally {
    await world.close();
  }
});

test("a rollout under way leaves out a class that another one put in quarantine, and goes on with the rest", async () => {
  const world = await fleet([
    { site: "a", hardware: { providers: ["cuda"] } },
    { site: "b", hardware: { providers: ["cuda"] } },
    { site: "b" },
    { site: "c", behaviour: { onUpdate: "roll-back" } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const wide = await begin(service, {
      selector: "site in (a,b)",
      waves: [{ selector: "site=a" }],
      gate: { ...QUICK, soakSeconds: 100 },
    });
    await world.pass(40, tick);
    await begin(service, { selector: "site=c" });
    await world.pass(300, tick);
    const view = await service.get(wide);
    assert.equal(view.state, "completed");
    assert.deepEqual([view.counts.succeeded, view.counts.skipped], [2, 1]);
  } finally {
    await world.close();
  }
});

test("a forced rollout goes on: it was told to", async () => {
  const world = await fleet([{ site: "a" }, { site: "b", behaviour: { onUpdate: "roll-back" } }]);
  try {
    const service = world.service();
    const tick = world.tick();
    await begin(service, { selector: "site=b" });
    await world.pass(60, tick);
    const forced = await begin(service, { selector: "site=a", force: true });
    await world.pass(60, tick);
    assert.equal((await service.get(forced)).counts.succeeded, 1);
  } finally {
    await world.close();
  }
});

test("only the hardware class that fails is put in quarantine, not one with a single mishap", async () => {
  const cuda = { hardware: { providers: ["cuda"] } };
  const world = await fleet([
    ...Array.from({ length: 12 }, () => ({ site: "a" })),
    { site: "a", behaviour: { onUpdate: "roll-back" as const } },
    ...Array.from({ length: 3 }, () => ({
      site: "b",
      ...cuda,
      behaviour: { onUpdate: "roll-back" as const },
    })),
  ]);
  try {
    const service = world.service();
    const id = await begin(service, { gate: { ...QUICK, error: { maxPercent: 10, minDevices: 16 } } });
    await world.pass(60, world.tick());
    assert.equal((await service.get(id)).state, "reverted");
    const rows = await world.stores.control.selectFrom("quarantines").select("hardware_class").execute();
    assert.deepEqual(
      rows.map(({ hardware_class }) => hardware_class),
      ["linux-x64-cuda"],
    );
  } finally {
    await world.close();
  }
});

test("a gate that is violated while somebody paused puts the release in quarantine all the same", async () => {
  const world = await fleet([{ site: "a", behaviour: { onUpdate: "roll-back", takes: 4 } }, { site: "b" }]);
  try {
    const service = world.service();
    const tick = world.tick();
    const id = await begin(service, { onFailure: "pause" });
    await world.pass(20, tick);
    await service.pause(id, ANNA);
    await world.pass(60, tick);
    const rows = await world.stores.control.selectFrom("quarantines").select("hardware_class").execute();
    assert.equal(rows.length, 1);
    const count = (await service.events(id)).length;
    await world.pass(60, tick);
    assert.equal((await service.events(id)).length, count, "it is said once");
  } finally {
    await world.close();
  }
});
