import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { ANNA, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);

/** A rollout to `ring=early` that soaks for long, and two devices that get the label later. */
async function story(lateJoiners: "include" | "hold" | "exclude") {
  const world = await World.open();
  const old: ReleaseRef = await world.addRelease(OLD);
  await world.addRelease(NEW);
  const labels = { ring: "early" };
  await world.addDevices([{ site: "a", labels }, { site: "b", labels }, { site: "c" }], old, [OLD, NEW]);
  const service = world.service();
  const tick = world.tick();
  const plan = {
    release: { name: "vibration", version: "2.0.0" },
    selector: "ring=early",
    lateJoiners,
    waves: [{ count: 1 }],
    gate: { soakSeconds: 300, metrics: [] },
  };
  const { id } = await service.create(plan, ANNA);
  await service.start(id, ANNA);
  await world.pass(40, tick);
  world.stores.controlRaw
    .prepare("UPDATE devices SET labels = ? WHERE site = 'c'")
    .run(JSON.stringify(labels));
  await world.addDevices([{ site: "d", labels }], old, [OLD, NEW]);
  await world.pass(60, tick);
  return { world, service, tick, id };
}

test("late joiners of a small rollout wait until its canary has passed, and are judged as a wave", async () => {
  for (const onUpdate of ["roll-back", "succeed"] as const) {
    const world = await World.open();
    try {
      const old = await world.addRelease(OLD);
      await world.addRelease(NEW);
      const plans = Array.from({ length: 20 }, (_, index) => ({
        site: `s${index}`,
        labels: { ring: index === 0 ? "early" : "late" },
        behaviour: { onUpdate, takes: 8 },
      }));
      await world.addDevices(plans, old, [OLD, NEW]);
      const service = world.service();
      const tick = world.tick();
      const { id } = await service.create(
        {
          release: { name: "vibration", version: "2.0.0" },
          selector: "ring=early",
          lateJoiners: "include",
          gate: { soakSeconds: 60, metrics: [], error: { minDevices: 1 } },
        },
        ANNA,
      );
      await service.start(id, ANNA);
      await world.pass(10, tick);
      const label = world.stores.controlRaw.prepare("UPDATE devices SET labels = ? WHERE site = ?");
      for (let index = 1; index < 12; index += 1) label.run(JSON.stringify({ ring: "early" }), `s${index}`);
      await world.pass(60, tick);
      let view = await service.get(id);
      assert.deepEqual([view.waves, view.wave, view.counts.pending], [2, 1, 1], "nobody beside the canary");
      await world.pass(100, tick);
      view = await service.get(id);
      if (onUpdate === "roll-back") {
        assert.deepEqual([view.state, view.counts.returned, view.counts.skipped], ["reverted", 1, 11]);
        continue;
      }
      assert.deepEqual([view.state, view.wave, view.counts.pending], ["running", 2, 11]);
      for (let index = 12; index < 20; index += 1) label.run(JSON.stringify({ ring: "early" }), `s${index}`);
      await world.pass(40, tick);
      assert.deepEqual(
        (await service.get(id)).waves,
        3,
        "whoever joins an open wave of joiners comes behind it",
      );
      await world.pass(600, tick);
      view = await service.get(id);
      assert.deepEqual([view.state, view.counts.succeeded], ["completed", 20]);
    } finally {
      await world.close();
    }
  }
});

test("late joiners that are included come last", async () => {
  const { world, service, tick, id } = await story("include");
  try {
    const view = await service.get(id);
    assert.deepEqual(
      view.waveList.map(({ counts }) => counts.total),
      [1, 1, 2],
      "they are a wave of their own",
    );
    assert.equal((await service.events(id)).find(({ kind }) => kind === "late-joiners")?.numbers.devices, 2);
    await world.pass(1000, tick);
    const end = await service.get(id);
    assert.deepEqual([end.state, end.counts.succeeded], ["completed", 4]);
  } finally {
    await world.close();
  }
});

test("late joiners that are held wait for an operator", async () => {
  const { world, service, tick, id } = await story("hold");
  try {
    assert.equal((await service.get(id)).counts.held, 2);
    await world.pass(1000, tick);
    let view = await service.get(id);
    assert.deepEqual([view.state, view.counts.succeeded, view.counts.held], ["completed", 2, 2]);
    view = await service.admitLate(id, ANNA);
    assert.equal(view.counts.held, 0);
    assert.equal((await service.admitLate(id, ANNA)).counts.held, 0, "safe to repeat");
    await world.pass(100, tick);
    view = await service.get(id);
    assert.equal(view.counts.succeeded, 4, "admitted after the end they are stragglers");
    await service.revert(id, ANNA);
    await assert.rejects(service.admitLate(id, ANNA), (error) =>
      isMusterError(error, "rollout.transition-invalid"),
    );
  } finally {
    await world.close();
  }
});

test("late joiners are left out unless the plan says otherwise", async () => {
  const { world, service, tick, id } = await story("exclude");
  try {
    await world.pass(1000, tick);
    const { state, counts } = await service.get(id);
    assert.deepEqual([state, counts.total], ["completed", 2]);
  } finally {
    await world.close();
  }
});
