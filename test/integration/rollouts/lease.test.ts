import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { openStores } from "@muster/control-plane/storage/database";
import { ANNA, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const PLAN = {
  release: { name: "vibration", version: "2.0.0" },
  waves: [{ count: 1 }],
  gate: { soakSeconds: 30, metrics: [] },
};

async function small(): Promise<World> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addDevices([{ site: "a" }, { site: "b" }, { site: "c" }], old, [OLD, NEW]);
  return world;
}

const told = (world: World) => world.directives().filter(Boolean).length;

test("two control planes on the same data never both act", async () => {
  const world = await small();
  const stores = await openStores(world.dir);
  try {
    const service = world.service();
    const { id } = await service.create(PLAN, ANNA);
    await service.start(id, ANNA);
    const first = world.tick({ holder: "first" });
    const second = world.tick({ holder: "second", stores, directory: world.loadDirectory(stores) });
    await first.run();
    assert.equal(told(world), 1);
    const epoch = world.stores.controlRaw.prepare("SELECT holder, epoch FROM leases");
    assert.deepEqual(epoch.get(), { holder: "first", epoch: 1 });

    // The first one falls silent: the second one does nothing until the lease is over.
    world.now += 10_000;
    for (const device of world.devices.values()) device.live();
    await second.run();
    assert.deepEqual(epoch.get(), { holder: "first", epoch: 1 });
    assert.equal((await service.get(id)).gate?.verdict ?? "inconclusive", "inconclusive");
    world.now += 10_000;
    await second.run();
    assert.deepEqual(epoch.get(), { holder: "second", epoch: 2 });

    // The first one wakes up with an old picture in memory, and must not act on it.
    const before = world.directives();
    await first.run();
    assert.deepEqual(epoch.get(), { holder: "second", epoch: 2 });
    assert.deepEqual(world.directives(), before);

    await world.pass(50, second);
    assert.equal((await service.get(id)).wave, 2);
    await second.stop();
    world.now += 1;
    await first.run();
    assert.deepEqual(epoch.get(), { holder: "first", epoch: 3 }, "a clean stop keeps nobody waiting");
    await world.pass(200, first);
    const view = await service.get(id);
    assert.deepEqual([view.state, view.counts.succeeded], ["completed", 3]);
    assert.deepEqual(world.logged, []);
    for (const device of world.devices.values()) assert.deepEqual(device.visited, ["2.0.0"]);
  } finally {
    await stores.close();
    await world.close();
  }
});

test("time in which no control plane listened is no silence of a device, and no soak", async () => {
  const world = await small();
  try {
    const [device] = world.devices.values();
    for (const each of world.devices.values()) each.behaviour.takes = 4;
    const service = world.service();
    const plan = { ...PLAN, waves: [], gate: { soakSeconds: 600, metrics: [] }, timeouts: { total: 300 } };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(20, world.tick());
    // The control plane is away for two hours, then ticks before anybody has reported.
    world.now += 7_200_000;
    const tick = world.tick();
    await tick.run();
    assert.equal((await service.get(id)).counts.failed, 0);
    await world.pass(60, tick);
    assert.equal(device?.running?.version, "2.0.0");
    assert.equal((await service.get(id)).counts.succeeded, 3);
    world.now += 7_200_000;
    await tick.run();
    const view = await service.get(id);
    assert.equal(view.state, "running");
    assert.equal(view.gate?.waitingFor, "soak");
  } finally {
    await world.close();
  }
});

test("a control plane that is killed while it tells leaves nothing half done to the next one", async () => {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addDevices(
    Array.from({ length: 400 }, (_, index) => ({ site: `s${index}` })),
    old,
    [OLD, NEW],
  );
  try {
    const service = world.service();
    const { id } = await service.create({ ...PLAN, waves: [] }, ANNA);
    await service.start(id, ANNA);
    const child = fork(new URL("./ticking-process.js", import.meta.url), [world.dir, String(world.now)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const exit = once(child, "exit");
    // It says after each directive that it published one; it dies somewhere on its way.
    let published = 0;
    child.on("message", () => {
      published += 1;
      if (published === 25) child.kill("SIGKILL");
    });
    await exit;
    const stored = told(world);
    assert.ok(stored >= 25 && stored < 400, `${stored} were told before it died`);
    const records = world.stores.controlRaw.prepare(
      `SELECT count(*) FROM rollout_devices r JOIN devices d ON d.id = r.device
       WHERE (r.status = 'told') != (d.directive IS NOT NULL) OR r.told_generation IS NOT nullif(d.generation, 0)`,
    );
    assert.equal(records.pluck().get(), 0, "record and directive are one transaction");

    const tick = world.tick({ holder: "next" });
    await tick.run();
    assert.equal(told(world), stored, "the lease of the dead one still runs");
    world.now += 16_000;
    await tick.run();
    assert.equal(told(world), 400);
    for (const { generation } of world.directives() as { generation: number }[]) assert.equal(generation, 1);
  } finally {
    await world.close();
  }
});
