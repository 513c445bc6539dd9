import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutService } from "@muster/control-plane/rollouts/service";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const BAD = manifestOf("vibration", 2);
const NEWER = manifestOf("vibration", 3);
const GATE = { soakSeconds: 0, metrics: [], error: { maxPercent: 100 } };

async function fleet(plans: readonly DevicePlan[]): Promise<World> {
  const world = await World.open();
  const manifests = [OLD, BAD, NEWER];
  const [old] = await Promise.all(manifests.map((manifest) => world.addRelease(manifest)));
  await world.addDevices(plans, old ?? null, manifests);
  return world;
}

const begin = async (service: RolloutService, version: string, more: object = {}) => {
  const release = { name: "vibration", version };
  const plan = { release, waves: [], gate: GATE, blastRadius: {}, windows: "any", ...more };
  const { id } = await service.create(plan, ANNA);
  return (await service.start(id, ANNA)).id;
};

const versions = (world: World) => [...world.devices.values()].map(({ running }) => running?.version);

test("a revert after an abort and a restart sends everybody back, also who had settled before", async () => {
  const away = { offlineFrom: 0, offlineUntil: 30 };
  const world = await fleet([{ site: "a" }, { site: "b" }, { site: "c", behaviour: away }]);
  try {
    const service = world.service();
    const before = world.tick();
    // Told while it was there, away before it could take the directive up.
    for (const device of world.devices.values()) device.online = true;
    const id = await begin(service, "2.0.0", { gate: { ...GATE, soakSeconds: 3600 } });
    await before.run();
    await world.pass(30, before);
    await service.abort(id, ANNA);
    await world.pass(20, before);
    const aborted = await service.get(id);
    assert.deepEqual([aborted.state, aborted.counts.succeeded, aborted.counts.returning], ["aborted", 2, 1]);
    const after = world.tick();
    await world.pass(20, after);
    await service.revert(id, ANNA);
    await world.pass(60, after);
    assert.deepEqual(versions(world), ["1.0.0", "1.0.0", "1.0.0"]);
    assert.equal((await service.get(id)).state, "reverted");
    await world.pass(300, after);
    assert.equal((await service.get(id)).counts.returned, 3);
    assert.deepEqual([...world.devices.values()][2]?.visited, [], "it never visited the release");
  } finally {
    await world.close();
  }
});

for (const order of ["older first", "newer first"] as const)
  test(`two reverts, ${order}: nobody ends on a release that was turned back`, async () => {
    const world = await fleet([{ site: "a" }, { site: "b" }]);
    try {
      const service = world.service();
      const tick = world.tick();
      const older = await begin(service, "2.0.0", { gate: { ...GATE, soakSeconds: 3600 } });
      await world.pass(40, tick);
      world.now += 1000;
      const newer = await begin(service, "3.0.0");
      await world.pass(60, tick);
      assert.deepEqual(versions(world), ["3.0.0", "3.0.0"]);
      const [first, second] = order === "older first" ? [older, newer] : [newer, older];
      await service.revert(first, ANNA);
      await world.pass(60, tick);
      await service.revert(second, ANNA);
      await world.pass(60, tick);
      assert.deepEqual(versions(world), ["1.0.0", "1.0.0"]);
      for (const id of [older, newer]) assert.equal((await service.get(id)).state, "reverted");
    } finally {
      await world.close();
    }
  });

test("a device that timed out without having begun is called off by an abort", async () => {
  const world = await fleet([{ site: "a" }, { site: "b", behaviour: { offlineFrom: 0, offlineUntil: 20 } }]);
  try {
    for (const device of world.devices.values()) device.online = true;
    const service = world.service();
    const tick = world.tick();
    const id = await begin(service, "2.0.0", {
      timeouts: { total: 50 },
      gate: { ...GATE, soakSeconds: 3600 },
    });
    await tick.run();
    await world.pass(80, tick);
    assert.equal((await service.get(id)).counts.failed, 1);
    await service.abort(id, ANNA);
    await world.pass(200, tick);
    const [, late] = [...world.devices.values()];
    assert.equal(late?.online, true);
    assert.deepEqual(late?.visited, [], "the rollout was over when it came back");
  } finally {
    await world.close();
  }
});

test("what a device on its way back is told next goes back to the good release", async () => {
  const away = { offlineFrom: 3, offlineUntil: 20 };
  const world = await fleet([{ site: "a", behaviour: away }, { site: "b" }]);
  try {
    const service = world.service();
    const tick = world.tick();
    const bad = await begin(service, "2.0.0", { gate: { ...GATE, soakSeconds: 3600 } });
    await world.pass(50, tick);
    await service.revert(bad, ANNA);
    await world.pass(50, tick);
    assert.equal((await service.get(bad)).state, "reverted");
    assert.deepEqual(versions(world), ["2.0.0", "1.0.0"]);
    const next = await begin(service, "3.0.0", { gate: { ...GATE, soakSeconds: 3600 } });
    await world.pass(150, tick);
    assert.deepEqual(versions(world), ["3.0.0", "3.0.0"]);
    await service.revert(next, ANNA);
    await world.pass(60, tick);
    assert.deepEqual(versions(world), ["1.0.0", "1.0.0"]);
  } finally {
    await world.close();
  }
});

test("a device that never takes its way back up does not keep a later rollout waiting for ever", async () => {
  const world = await fleet([{ site: "a" }]);
  try {
    const service = world.service();
    const tick = world.tick();
    const bad = await begin(service, "2.0.0", {
      timeouts: { total: 60 },
      gate: { ...GATE, soakSeconds: 3600 },
    });
    await world.pass(40, tick);
    await service.revert(bad, ANNA);
    // Its directives do not get through; it is seen all the same.
    world.brokerDown = true;
    await world.pass(120, tick);
    assert.equal((await service.get(bad)).state, "reverted");
    const next = await begin(service, "3.0.0");
    await tick.run();
    assert.equal((await service.get(next)).counts.pending, 1);
    world.brokerDown = false;
    await world.pass(120, tick);
    assert.deepEqual(versions(world), ["3.0.0"]);
  } finally {
    await world.close();
  }
});
