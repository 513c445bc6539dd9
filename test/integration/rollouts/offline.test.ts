import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const BAD = manifestOf("vibration", 2);
const FIXED = manifestOf("vibration", 3);
const GATE = { soakSeconds: 0, metrics: [] };
const release = (sequence: number) => ({ name: "vibration", version: `${sequence}.0.0` });

async function fleet(plans: readonly DevicePlan[]): Promise<World> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(BAD);
  await world.addRelease(FIXED);
  await world.addDevices(plans, old, [OLD, BAD, FIXED]);
  return world;
}

test("a device that was offline for the whole drama never visits the bad release", async () => {
  const world = await fleet([
    { site: "a", behaviour: { onUpdate: "roll-back" } },
    { site: "b", behaviour: { onUpdate: "roll-back" } },
    { site: "c", behaviour: { offlineFrom: 0, offlineUntil: 30 } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const away = [...world.devices.values()][2];
    const { id } = await service.create({ release: release(2), waves: [], gate: GATE }, ANNA);
    for (const device of world.devices.values()) device.live();
    await service.start(id, ANNA);
    await world.pass(100, tick);
    assert.equal((await service.get(id)).state, "reverted");
    assert.equal((await service.get(id)).counts.skipped, 1);

    for (const device of world.devices.values()) device.behaviour.onUpdate = "succeed";
    const fixed = await service.create({ release: release(3), waves: [], gate: GATE }, ANNA);
    await service.start(fixed.id, ANNA);
    await world.pass(100, tick);
    assert.equal((await service.get(fixed.id)).state, "completed", "the others are there");
    assert.equal(world.directives().filter(Boolean).length, 2, "nothing waits for the device that is away");
    await world.pass(200, tick);
    assert.equal(away?.running?.version, "3.0.0", "a completed rollout tells those that come back");
    assert.deepEqual(away?.visited, ["3.0.0"]);
    assert.equal((await service.get(fixed.id)).counts.succeeded, 3);
  } finally {
    await world.close();
  }
});

test("stragglers of a completed rollout that fail turn it back", async () => {
  const late = { offlineFrom: 0, offlineUntil: 12, onUpdate: "roll-back" as const };
  const world = await fleet([
    { site: "a" },
    { site: "b", behaviour: late },
    { site: "c", behaviour: late },
    { site: "d", behaviour: late },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    for (const device of world.devices.values()) device.live();
    const { id } = await service.create({ release: release(2), waves: [], gate: GATE }, ANNA);
    await service.start(id, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(id)).state, "completed");
    await world.pass(200, tick);
    assert.equal((await service.get(id)).state, "reverted");
    for (const device of world.devices.values()) assert.equal(device.running?.version, "1.0.0");
  } finally {
    await world.close();
  }
});

test("a newer rollout takes the stragglers of a completed one over", async () => {
  const world = await fleet([{ site: "a" }, { site: "b", behaviour: { offlineFrom: 0, offlineUntil: 25 } }]);
  try {
    const service = world.service();
    const tick = world.tick();
    for (const device of world.devices.values()) device.live();
    const first = await service.create({ release: release(2), waves: [], gate: GATE }, ANNA);
    await service.start(first.id, ANNA);
    await world.pass(60, tick);
    const second = await service.create({ release: release(3), waves: [], gate: GATE }, ANNA);
    await service.start(second.id, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(first.id)).counts.superseded, 1);
    await world.pass(250, tick);
    const straggler = [...world.devices.values()][1];
    assert.deepEqual(straggler?.visited, ["3.0.0"]);
  } finally {
    await world.close();
  }
});

test("the deadline stops a rollout: what succeeded stays, what waits is skipped", async () => {
  const world = await fleet([
    { site: "a" },
    { site: "b", behaviour: { offlineFrom: 0, offlineUntil: 40 } },
    { site: "c", behaviour: { onUpdate: "hang" } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    for (const device of world.devices.values()) device.live();
    const plan = {
      release: release(2),
      waves: [],
      gate: GATE,
      deadlineSeconds: 120,
      timeouts: { total: 200 },
    };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(500, tick);
    const view = await service.get(id);
    assert.equal(view.state, "aborted");
    assert.match(view.reason ?? "", /deadline of 120 s is over with 1 of 3 devices succeeded/);
    assert.deepEqual([view.counts.succeeded, view.counts.skipped, view.counts.failed], [1, 1, 1]);
    assert.equal(world.directives().filter(Boolean).length, 2);
  } finally {
    await world.close();
  }
});

test("a straggler that fails is judged among all devices of a completed rollout", async () => {
  const plans = Array.from({ length: 24 }, (_, index) => ({
    site: `s${index}`,
    labels: index < 2 ? { last: "yes" } : {},
    behaviour: index === 0 ? { onUpdate: "roll-back" as const, offlineFrom: 0, offlineUntil: 60 } : {},
  }));
  const world = await fleet(plans);
  try {
    const service = world.service();
    const tick = world.tick();
    const plan = {
      release: release(2),
      waves: [{ selector: "!last" }],
      gate: { soakSeconds: 0, metrics: [], error: { maxPercent: 10, minDevices: 1 } },
    };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(400, tick);
    assert.equal((await service.get(id)).state, "completed");
    await world.pass(400, tick);
    const view = await service.get(id);
    assert.deepEqual([view.state, view.counts.succeeded, view.counts.failed], ["completed", 23, 1]);
  } finally {
    await world.close();
  }
});
