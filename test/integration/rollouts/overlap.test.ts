import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutService } from "@muster/control-plane/rollouts/service";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const ROUTINE = manifestOf("vibration", 2);
const NEWER = manifestOf("vibration", 3);
const OTHER = manifestOf("thermal", 2);
const GATE = { soakSeconds: 0, metrics: [], error: { maxPercent: 100 } };

async function fleet(plans: readonly DevicePlan[]): Promise<World> {
  const world = await World.open();
  const manifests = [OLD, ROUTINE, NEWER, OTHER];
  const [old] = await Promise.all(manifests.map((manifest) => world.addRelease(manifest)));
  await world.addDevices(plans, old ?? null, manifests);
  return world;
}

const begin = async (service: RolloutService, name: string, version: string, more: object = {}) => {
  const plan = { release: { name, version }, waves: [], gate: GATE, blastRadius: {}, ...more };
  const { id } = await service.create(plan, ANNA);
  return (await service.start(id, ANNA)).id;
};

test("of equal rollouts the earlier one has the devices, and the other says what it waits for", async () => {
  const world = await fleet([{ site: "a" }, { site: "b", behaviour: { takes: 6 } }]);
  try {
    const service = world.service();
    const tick = world.tick();
    const first = await begin(service, "vibration", "2.0.0");
    world.now += 1000;
    const second = await begin(service, "thermal", "2.0.0");
    await world.pass(30, tick);
    assert.deepEqual((await service.get(second)).held, { "other-rollout": 2 });
    assert.deepEqual(
      (await service.devices(second)).devices.map(({ held }) => held),
      ["other-rollout", "other-rollout"],
    );
    await world.pass(200, tick);
    assert.equal((await service.get(first)).state, "completed");
    assert.equal((await service.get(second)).state, "completed");
    for (const device of world.devices.values())
      assert.deepEqual(device.visited, ["2.0.0", "2.0.0"], "one after the other, each to its end");
  } finally {
    await world.close();
  }
});

test("a higher priority takes over what is not being changed, and waits for what is", async () => {
  const world = await fleet([{ site: "a" }, { site: "b", behaviour: { takes: 12 } }, { site: "c" }]);
  try {
    const service = world.service();
    const tick = world.tick();
    // One device has succeeded, one is being changed and one waits for the second wave.
    const routine = await begin(service, "vibration", "2.0.0", {
      waves: [{ selector: "site in (a,b)" }],
      gate: { ...GATE, soakSeconds: 3600 },
    });
    await world.pass(40, tick);
    world.now += 1000;
    const urgent = await begin(service, "thermal", "2.0.0", { priority: 900 });
    await world.pass(40, tick);
    const [a, b, c] = [...world.devices.values()];
    const busy = await service.get(urgent);
    assert.deepEqual(busy.held, { "other-rollout": 1 }, "only the device in flight is waited for");
    await world.pass(300, tick);
    assert.equal((await service.get(urgent)).state, "completed");
    for (const device of [a, b, c]) assert.equal(device?.running?.name, "thermal");
    assert.equal((await service.get(routine)).counts.superseded, 3);
    await service.revert(routine, ANNA);
    await world.pass(60, tick);
    for (const device of [a, b, c])
      assert.equal(device?.running?.name, "thermal", "it has another owner now");
  } finally {
    await world.close();
  }
});

test("a newer rollout of the same release name replaces the older one where it waits", async () => {
  const world = await fleet([{ site: "a" }, { site: "b" }, { site: "c" }]);
  try {
    const service = world.service();
    const tick = world.tick();
    const older = await begin(service, "vibration", "2.0.0", {
      waves: [{ count: 1 }],
      gate: { ...GATE, soakSeconds: 3600 },
    });
    await world.pass(60, tick);
    world.now += 1000;
    await begin(service, "vibration", "3.0.0");
    await world.pass(120, tick);
    for (const device of world.devices.values()) assert.equal(device.running?.version, "3.0.0");
    const { counts } = await service.get(older);
    assert.equal(counts.superseded, 3);
    const visits = [...world.devices.values()].map(({ visited }) => visited.length);
    assert.deepEqual(visits.sort(), [1, 1, 2], "those that waited went straight to the newest");
  } finally {
    await world.close();
  }
});

test("a lower priority holds back and leaves what it lost", async () => {
  const world = await fleet([{ site: "a" }, { site: "b" }]);
  try {
    const service = world.service();
    const tick = world.tick();
    const high = await begin(service, "thermal", "2.0.0", { gate: { ...GATE, soakSeconds: 120 } });
    world.now += 1000;
    const low = await begin(service, "vibration", "2.0.0", { priority: 100 });
    await world.pass(90, tick);
    assert.deepEqual((await service.get(low)).held, { "other-rollout": 2 });
    await world.pass(300, tick);
    assert.equal((await service.get(high)).state, "completed");
    assert.equal((await service.get(low)).state, "completed", "it comes after");
  } finally {
    await world.close();
  }
});
