import assert from "node:assert/strict";
import { test } from "node:test";
import { Freezes } from "@muster/control-plane/rollouts/freezes";
import { ANNA, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const OTHER = manifestOf("thermal", 2);
const GATE = { soakSeconds: 0, metrics: [] };

test("a rollout that takes in late joiners keeps its devices from others in that same tick", async () => {
  const world = await World.open();
  try {
    const manifests = [OLD, NEW, OTHER];
    const [old] = await Promise.all(manifests.map((manifest) => world.addRelease(manifest)));
    await world.addDevices([{ site: "a", behaviour: { takes: 20 } }], old ?? null, manifests);
    const service = world.service();
    const tick = world.tick();
    const begin = async (name: string, more: object) => {
      const plan = { release: { name, version: "2.0.0" }, waves: [], gate: GATE, blastRadius: {}, ...more };
      const { id } = await service.create(plan, ANNA);
      return (await service.start(id, ANNA)).id;
    };
    await begin("vibration", { lateJoiners: "include" });
    await world.pass(20, tick);
    const other = await begin("thermal", {});
    await world.pass(20, tick);
    await world.addDevices([{ site: "a", behaviour: { takes: 20 } }], old ?? null, manifests);
    await world.pass(60, tick);
    const { counts, held } = await service.get(other);
    assert.deepEqual([counts.pending, held], [0, { "other-rollout": 1 }]);
  } finally {
    await world.close();
  }
});

test("a clock that is put back stops no timeout, soak or pace", async () => {
  const world = await World.open();
  try {
    const manifests = [OLD, NEW];
    const [old] = await Promise.all(manifests.map((manifest) => world.addRelease(manifest)));
    const plans = [
      { site: "a" },
      { site: "b" },
      { site: "c" },
      { site: "d", behaviour: { onUpdate: "hang" as const } },
    ];
    await world.addDevices(plans, old ?? null, manifests);
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create(
      {
        release: { name: "vibration", version: "2.0.0" },
        waves: [{ selector: "site=a" }, { selector: "site=b" }],
        gate: { soakSeconds: 40, metrics: [], error: { maxPercent: 100 } },
        pace: { maximumPerMinute: 2 },
        timeouts: { total: 100 },
      },
      ANNA,
    );
    await service.start(id, ANNA);
    for (let times = 0; times < 6; times += 1) {
      await world.pass(60, tick);
      world.now -= 86_400_000;
    }
    await world.pass(300, tick);
    const { counts, state } = await service.get(id);
    assert.deepEqual([state, counts.succeeded, counts.failed], ["paused", 3, 1]);
  } finally {
    await world.close();
  }
});

test("a device that was moved is held by what holds the site where it is now", async () => {
  const world = await World.open();
  try {
    const manifests = [OLD, NEW];
    const [old] = await Promise.all(manifests.map((manifest) => world.addRelease(manifest)));
    await world.addDevices([{ site: "a" }, { site: "b" }], old ?? null, manifests);
    const service = world.service();
    const freezes = new Freezes(world.stores.control, world.clock);
    await freezes.create({ site: "c", to: world.now + 600_000, reason: "stocktaking" }, "Anna");
    const { id } = await service.create(
      { release: { name: "vibration", version: "2.0.0" }, waves: [{ selector: "site=a" }], gate: GATE },
      ANNA,
    );
    await service.start(id, ANNA);
    world.stores.controlRaw.prepare("UPDATE devices SET site = 'c' WHERE site = 'b'").run();
    const tick = world.tick();
    await world.pass(60, tick);
    assert.deepEqual((await service.get(id)).held, { freeze: 1 });
    await world.pass(600, tick);
    assert.equal((await service.get(id)).state, "completed");
  } finally {
    await world.close();
  }
});
