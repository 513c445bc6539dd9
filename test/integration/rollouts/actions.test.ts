import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const RELEASE = { name: "vibration", version: "2.0.0" };
const invalid = (error: unknown) => isMusterError(error, "rollout.transition-invalid");

async function fleet(plans: readonly DevicePlan[]): Promise<World> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addDevices(plans, old, [OLD, NEW]);
  return world;
}

test("skip-wave names its wave: repeating it skips no other one", async () => {
  const world = await fleet(["a", "b", "c"].map((site) => ({ site })));
  try {
    const service = world.service();
    const tick = world.tick();
    const plan = {
      release: RELEASE,
      waves: [{ count: 1 }, { count: 2 }],
      gate: { soakSeconds: 3600, metrics: [] },
    };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(30, tick);
    await assert.rejects(service.skipWave(id, ANNA, 2), invalid, "wave 2 is not open");
    await service.skipWave(id, ANNA, 1, "the canary is fine");
    await service.skipWave(id, ANNA, 1);
    await world.pass(30, tick);
    let view = await service.get(id);
    assert.equal(view.wave, 2);
    await service.skipWave(id, ANNA, 1);
    await world.pass(30, tick);
    view = await service.get(id);
    assert.equal(view.wave, 2, "wave 1 is over already");
    await service.pause(id, ANNA);
    view = await service.skipWave(id, ANNA, 2);
    assert.equal(view.state, "running", "a paused rollout goes on");
    await world.pass(30, tick);
    await service.skipWave(id, ANNA, 3);
    await world.pass(10, tick);
    view = await service.get(id);
    assert.equal(view.state, "completed");
    const skips = (await service.events(id)).filter(({ kind }) => kind === "skip-wave");
    assert.deepEqual(
      skips.map(({ sentence }) => sentence),
      ["Anna skipped wave 1: the canary is fine.", "Anna skipped wave 2.", "Anna skipped wave 3."],
    );
  } finally {
    await world.close();
  }
});

test("a failure that time may mend is tried again and does not hold against the release", async () => {
  const world = await fleet([
    { site: "a", behaviour: { onUpdate: "roll-back", failure: "request.unreachable" } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const plan = {
      release: RELEASE,
      waves: [],
      gate: { soakSeconds: 0, metrics: [] },
      retries: { max: 3, baseSeconds: 60 },
    };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(30, tick);
    let view = await service.get(id);
    assert.deepEqual([view.state, view.counts.retrying, view.held], ["running", 1, { retry: 1 }]);
    const [device] = world.devices.values();
    if (device) device.behaviour.onUpdate = "succeed";
    await world.pass(120, tick);
    view = await service.get(id);
    assert.deepEqual([view.state, view.counts.succeeded], ["completed", 1]);
    const [row] = (await service.devices(id)).devices;
    assert.deepEqual([row?.attempts, row?.failure], [2, null]);
    assert.ok((await service.events(id)).some(({ kind }) => kind === "device-retries"));
  } finally {
    await world.close();
  }
});

test("resume gives missing measurements their time again", async () => {
  const world = await fleet(["a", "b", "c"].map((site) => ({ site })));
  try {
    const service = world.service();
    const tick = world.tick();
    const plan = {
      release: RELEASE,
      waves: [{ count: 1 }],
      timeouts: { total: 60 },
      gate: { soakSeconds: 30, metrics: [{ metric: "shadow-agreement", limit: 90 }] },
    };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(200, tick);
    assert.equal((await service.get(id)).state, "paused");
    const resumed = await service.resume(id, ANNA, "the shadow is on now.");
    assert.equal(resumed.state, "running");
    assert.equal(
      (await service.events(id)).at(-1)?.sentence,
      "Anna resumed the rollout: the shadow is on now.",
    );
    await world.pass(80, tick);
    const view = await service.get(id);
    assert.deepEqual([view.state, view.gate?.waitingFor], ["running", "evidence"]);
    await world.pass(30, tick);
    assert.equal((await service.get(id)).state, "paused", "it has its time, and not more");
  } finally {
    await world.close();
  }
});

test("freezes, windows and the pace hold devices, and the view says which", async () => {
  const world = await fleet(["a", "b/one", "b/two", "c"].map((site) => ({ site })));
  try {
    const { controlRaw } = world.stores;
    controlRaw
      .prepare(
        "INSERT INTO freezes (id, site, reason, from_at, to_at, created_by, created_at) VALUES ('f', 'b', 'audit', ?, ?, 'Anna', ?)",
      )
      .run(world.now, world.now + 600_000, world.now);
    const service = world.service();
    const tick = world.tick();
    const plan = {
      release: RELEASE,
      waves: [],
      gate: { soakSeconds: 0, metrics: [] },
      pace: { maximumPerMinute: 1 },
    };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(10, tick);
    assert.deepEqual((await service.get(id)).held, { freeze: 2, pace: 1 });
    await world.pass(80, tick);
    assert.deepEqual((await service.get(id)).held, { freeze: 2 });
    await world.pass(700, tick);
    assert.equal((await service.get(id)).state, "completed");

    // The world begins on a Sunday at eight in the morning.
    const windowed = { ...plan, release: { name: "vibration", version: "1.0.0" }, pace: undefined };
    const window = { days: ["sun"], from: "20:00", to: "21:00" };
    const night = await service.create({ ...windowed, windows: [window] }, ANNA);
    await service.start(night.id, ANNA);
    await world.pass(20, tick);
    assert.deepEqual((await service.get(night.id)).held, { window: 4 });
    await service.revert(night.id, ANNA);
    await world.pass(20, tick);
    assert.equal((await service.get(night.id)).state, "reverted", "there was nobody to send back");
    await service.revert(id, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(id)).counts.returned, 4, "nothing holds the way back");
  } finally {
    await world.close();
  }
});

test("lists come a page at a time, newest first", async () => {
  const world = await fleet(["a", "b", "c"].map((site) => ({ site })));
  try {
    const service = world.service();
    const ids: string[] = [];
    for (let made = 0; made < 5; made += 1) {
      world.now += made % 2;
      ids.unshift((await service.create({ release: RELEASE }, ANNA)).id);
    }
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await service.list(cursor === undefined ? { limit: 2 } : { limit: 2, cursor });
      seen.push(...page.rollouts.map(({ id }) => id));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    assert.deepEqual(seen.toSorted(), ids.toSorted(), "each once");
    await assert.rejects(service.list({ cursor: "nonsense" }), (error) =>
      isMusterError(error, "request.invalid"),
    );

    const [first = ""] = ids;
    await service.start(first, ANNA);
    const page = await service.devices(first, { limit: 2 });
    const rest = await service.devices(first, { limit: 2, cursor: page.next ?? "" });
    assert.deepEqual([page.devices.length, rest.devices.length, rest.next], [2, 1, null]);
  } finally {
    await world.close();
  }
});
