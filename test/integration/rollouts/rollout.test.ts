import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const NEXT = manifestOf("vibration", 3);
const RELEASE = { name: "vibration", version: "2.0.0" };
const QUICK = { soakSeconds: 0, error: { maxPercent: 10, minDevices: 1 }, metrics: [] };

const refuses = (code: ErrorCode, words: RegExp) => (error: unknown) =>
  isMusterError(error, code) && words.test(error.message);

async function worldWith(plans: readonly DevicePlan[]): Promise<World> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addDevices(plans, old, [OLD, NEW, NEXT]);
  return world;
}

const boxes = (count: number, behaviour = {}): DevicePlan[] =>
  Array.from({ length: count }, (_, index) => ({ site: `eu/site-${index % 3}`, behaviour }));

test("a good release goes out wave by wave and completes", async () => {
  const world = await worldWith(boxes(8));
  try {
    const service = world.service();
    const tick = world.tick();
    const plan = {
      release: RELEASE,
      waves: [{ count: 2 }, { percent: 50 }],
      gate: { ...QUICK, soakSeconds: 30 },
    };
    const { id } = await service.create(plan, ANNA);
    const started = await service.start(id, ANNA);
    assert.deepEqual(
      started.waveList.map((wave) => wave.counts.total),
      [2, 2, 4],
    );
    const canaries = (await service.devices(id)).devices.filter(({ wave }) => wave === 1);
    assert.equal(new Set(canaries.map(({ site }) => site)).size, 2, "canaries are at different sites");

    await tick.run();
    let view = await service.get(id);
    assert.equal(view.counts.pending, 2);
    assert.equal(view.counts.waiting, 6);
    await world.pass(20, tick);
    view = await service.get(id);
    assert.equal(view.wave, 1);
    assert.equal(view.gate?.waitingFor, "soak");
    await world.pass(150, tick);
    view = await service.get(id);
    assert.equal(view.state, "completed");
    assert.equal(view.counts.succeeded, 8);
    assert.equal(view.gate?.verdict, "met");
    for (const device of world.devices.values()) assert.equal(device.running?.version, "2.0.0");
    const kinds = (await service.events(id)).map(({ kind }) => kind);
    assert.deepEqual(kinds, [
      "created",
      "started",
      ...["wave-opened", "gate-met", "wave-opened", "gate-met", "wave-opened", "gate-met"],
      "completed",
    ]);
  } finally {
    await world.close();
  }
});

test("a bad release is caught by its canary, turned back and put in quarantine", async () => {
  const world = await worldWith(boxes(9, { onUpdate: "roll-back" }));
  try {
    const service = world.service();
    const tick = world.tick();
    const plan = { release: RELEASE, waves: [{ count: 2 }], gate: QUICK };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await tick.run();
    await world.pass(60, tick);
    const view = await service.get(id);
    assert.equal(view.state, "reverted");
    assert.equal(view.counts.returned, 2);
    assert.equal(view.counts.skipped, 7, "nobody else was told");
    assert.equal(view.gate?.verdict, "violated");
    assert.equal(view.failures[0]?.code, "model.golden-mismatch");
    assert.match(view.reason ?? "", /at most 10 % may/);
    assert.match(view.failures[0]?.example ?? "", /^box-\d at eu\/site-\d: 3 of 16/);
    const failed = (await service.events(id)).filter(({ kind }) => kind === "device-failed");
    assert.match(failed[0]?.sentence ?? "", /^box-\d at eu\/site-\d failed/);
    for (const device of world.devices.values()) assert.equal(device.running?.version, "1.0.0");
    const rows = await world.stores.control.selectFrom("devices").select(["id", "directive"]).execute();
    for (const { directive } of rows)
      if (directive) assert.equal(JSON.parse(directive).payload.release.version, "1.0.0");

    await assert.rejects(service.create(plan, ANNA), refuses("release.quarantined", /linux-x64-cpu/));
    const { excluded } = await service.dryRun(plan);
    assert.equal(excluded.filter(({ reason }) => reason === "quarantined").length, 9);
    await service.create({ ...plan, force: true }, ANNA);
  } finally {
    await world.close();
  }
});

test("boxes without traffic turn a rollout back and put nothing in quarantine", async () => {
  const world = await worldWith(boxes(3, { onUpdate: "roll-back", failure: "probation.no-traffic" }));
  try {
    const service = world.service();
    const plan = { release: RELEASE, waves: [{ count: 1 }], gate: QUICK };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(60, world.tick());
    assert.equal((await service.get(id)).state, "reverted");
    await service.create(plan, ANNA);
  } finally {
    await world.close();
  }
});

test("a wave that is still being told stops at once when its gate is violated", async () => {
  const world = await worldWith(boxes(12, { onUpdate: "roll-back" }));
  try {
    const service = world.service();
    const plan = { release: RELEASE, waves: [{ percent: 100 }], gate: QUICK, maxInFlight: 2 };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    const tick = world.tick();
    await tick.run();
    assert.deepEqual((await service.get(id)).held, { "in-flight": 10 });
    await world.pass(100, tick);
    const view = await service.get(id);
    assert.equal(view.state, "reverted");
    assert.equal(view.counts.skipped, 10);
    assert.equal(view.counts.returned, 2);
  } finally {
    await world.close();
  }
});

test("a success that breaks during the soak turns the rollout back", async () => {
  const world = await worldWith(boxes(4, { onUpdate: "crash-later" }));
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create(
      {
        release: RELEASE,
        waves: [{ count: 1 }],
        gate: { ...QUICK, soakSeconds: 120 },
      },
      ANNA,
    );
    await service.start(id, ANNA);
    await tick.run();
    await world.pass(200, tick);
    const view = await service.get(id);
    assert.equal(view.state, "reverted");
    assert.deepEqual(
      view.failures.map(({ code }) => code),
      ["runner.crashed"],
    );
    assert.equal(view.counts.skipped, 3);
    for (const device of world.devices.values()) assert.equal(device.running?.version, "1.0.0");
  } finally {
    await world.close();
  }
});

test("a wave of devices that are all offline pauses and never passes", async () => {
  const world = await worldWith(boxes(4, { offlineFrom: 0, offlineUntil: 100 }));
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create(
      {
        release: RELEASE,
        waves: [{ count: 2 }],
        gate: QUICK,
        timeouts: { total: 120 },
      },
      ANNA,
    );
    await service.start(id, ANNA);
    await world.pass(300, tick);
    let view = await service.get(id);
    assert.equal(view.state, "paused");
    assert.equal(view.counts.offline, 2);
    assert.equal(view.counts.failed, 0, "a device that was never reached has not failed");
    assert.match(view.reason ?? "", /0 known ends.* 2 devices are offline/);
    await world.pass(1000, tick);
    view = await service.get(id);
    assert.equal(view.state, "paused");
    assert.equal(view.counts.waiting, 4, "nobody is told while it is paused");
    await service.resume(id, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(id)).state, "completed");
  } finally {
    await world.close();
  }
});

test("a rollout completes past an offline device, whose late success is still taken in", async () => {
  const world = await worldWith([
    { site: "a" },
    { site: "b" },
    { site: "c", behaviour: { offlineFrom: 0, offlineUntil: 40 } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create({ release: RELEASE, waves: [{ percent: 100 }], gate: QUICK }, ANNA);
    await service.start(id, ANNA);
    await world.pass(60, tick);
    let view = await service.get(id);
    assert.equal(view.state, "completed");
    assert.equal(view.counts.offline, 1);
    assert.equal(view.counts.succeeded, 2);
    await world.pass(400, tick);
    view = await service.get(id);
    assert.equal(view.counts.succeeded, 3);
  } finally {
    await world.close();
  }
});

test("a device that is reached and falls silent has timed out, and may still prove success later", async () => {
  const world = await worldWith([
    { site: "a" },
    { site: "b" },
    { site: "c", behaviour: { takes: 2, offlineFrom: 1, offlineUntil: 30 } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create(
      {
        release: RELEASE,
        waves: [{ percent: 100 }],
        gate: { ...QUICK, error: { maxPercent: 50, minDevices: 1 }, success: { minPercent: 90 } },
        timeouts: { total: 60 },
      },
      ANNA,
    );
    await service.start(id, ANNA);
    await tick.run();
    await world.pass(40, tick);
    assert.equal((await service.get(id)).counts.silent, 1);
    await world.pass(60, tick);
    let view = await service.get(id);
    assert.equal(view.counts.failed, 1);
    assert.equal(view.failures[0]?.code, "rollout.timed-out");
    assert.equal(view.state, "paused", "67 % success is not the 90 % asked for, and no error either");
    assert.match(view.reason ?? "", /66.7 % success/);
    await world.pass(300, tick);
    view = await service.get(id);
    assert.equal(view.counts.succeeded, 3);
    await service.resume(id, ANNA);
    await world.pass(10, tick);
    assert.equal((await service.get(id)).state, "completed");
  } finally {
    await world.close();
  }
});

test("abort takes back what was not begun and lets the rest end", async () => {
  const world = await worldWith([
    { site: "a", behaviour: { takes: 5 } },
    { site: "b", behaviour: { offlineFrom: 0, offlineUntil: 20 } },
    { site: "c" },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create(
      {
        release: RELEASE,
        waves: [{ selector: "site in (a,b)" }],
        gate: { ...QUICK, soakSeconds: 600 },
      },
      ANNA,
    );
    await service.start(id, ANNA);
    await tick.run();
    await world.pass(20, tick);
    assert.equal((await service.abort(id, ANNA, "wrong release")).state, "aborting");
    assert.equal((await service.abort(id, ANNA)).state, "aborting", "safe to repeat");
    await world.pass(100, tick);
    let view = await service.get(id);
    assert.equal(view.state, "aborted");
    assert.match(view.reason ?? "", /wrong release/);
    await world.pass(200, tick);
    view = await service.get(id);
    const running = [...world.devices.values()].map((device) => device.running?.version);
    assert.deepEqual(running, ["2.0.0", "1.0.0", "1.0.0"]);
    assert.equal(view.counts.succeeded, 1);
    assert.equal(view.counts.returned, 1);
    assert.equal(view.counts.skipped, 1);
    await assert.rejects(service.resume(id, ANNA), refuses("rollout.transition-invalid", /aborted/));

    assert.equal((await service.revert(id, ANNA)).state, "reverting");
    await world.pass(100, tick);
    assert.equal((await service.get(id)).state, "reverted");
    for (const device of world.devices.values()) assert.equal(device.running?.version, "1.0.0");
  } finally {
    await world.close();
  }
});

test("a completed rollout can be sent back; each device gets its own former release", async () => {
  const world = await worldWith([{ site: "a" }, { site: "b" }]);
  try {
    await world.addDevices([{ site: "c" }], null, [OLD, NEW]);
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create({ release: RELEASE, waves: [{ percent: 100 }], gate: QUICK }, ANNA);
    await service.start(id, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(id)).state, "completed");
    await service.revert(id, ANNA);
    await world.pass(60, tick);
    const view = await service.get(id);
    assert.equal(view.state, "reverted");
    assert.equal(view.counts.returned, 3);
    const running = [...world.devices.values()].map((device) => device.running?.version ?? null);
    assert.deepEqual(running, ["1.0.0", "1.0.0", null]);
  } finally {
    await world.close();
  }
});

test("a revoked device is told nothing more and holds nothing up", async () => {
  const world = await worldWith(boxes(4));
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create({ release: RELEASE, waves: [{ percent: 50 }], gate: QUICK }, ANNA);
    await service.start(id, ANNA);
    await tick.run();
    const [first, , third] = (await service.devices(id)).devices.map(({ device }) => device);
    const revoke = world.stores.controlRaw.prepare("UPDATE devices SET status = 'revoked' WHERE id = ?");
    revoke.run(first);
    revoke.run(third);
    await world.pass(60, tick);
    let view = await service.get(id);
    assert.equal(view.state, "completed");
    assert.deepEqual([view.counts.succeeded, view.counts.released], [2, 2]);
    const generation = () =>
      world.stores.controlRaw.prepare("SELECT generation FROM devices WHERE id = ?").pluck().get(first);
    await service.revert(id, ANNA);
    await world.pass(60, tick);
    view = await service.get(id);
    assert.equal(view.state, "reverted");
    assert.equal(generation(), 1);
    assert.equal(view.counts.returned, 2);
  } finally {
    await world.close();
  }
});

test("a later rollout takes over what an ended one left open, which then leaves it alone", async () => {
  const world = await worldWith([
    { site: "a" },
    { site: "b", behaviour: { offlineFrom: 0, offlineUntil: 20 } },
  ]);
  try {
    await world.addRelease(NEXT);
    const service = world.service();
    const tick = world.tick();
    const plan = { release: RELEASE, waves: [{ percent: 100 }], gate: QUICK };
    const first = await service.create(plan, ANNA);
    await service.start(first.id, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(first.id)).counts.offline, 1);
    const second = await service.create({ ...plan, release: { name: "vibration", version: "3.0.0" } }, ANNA);
    await service.start(second.id, ANNA);
    await world.pass(200, tick);
    assert.equal((await service.get(second.id)).counts.succeeded, 2);
    await service.revert(first.id, ANNA);
    await world.pass(60, tick);
    const { state, counts } = await service.get(first.id);
    assert.deepEqual([state, counts.superseded, counts.returned], ["reverted", 2, 0]);
    for (const device of world.devices.values()) assert.equal(device.running?.version, "3.0.0");
  } finally {
    await world.close();
  }
});

test("onFailure pause stops and leaves the devices to the operator", async () => {
  const world = await worldWith(boxes(4, { onUpdate: "roll-back" }));
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create(
      {
        release: RELEASE,
        waves: [{ count: 1 }],
        gate: QUICK,
        onFailure: "pause",
      },
      ANNA,
    );
    await service.start(id, ANNA);
    await world.pass(60, tick);
    let view = await service.get(id);
    assert.equal(view.state, "paused");
    assert.equal(view.gate?.verdict, "violated");
    await service.skipWave(id, ANNA, 1);
    await world.pass(20, tick);
    view = await service.get(id);
    assert.equal(view.state, "paused", "a violated gate cannot be accepted away");
    assert.equal(view.counts.waiting, 3);
  } finally {
    await world.close();
  }
});

test("an inconclusive wave may be accepted by the operator, which the events tell", async () => {
  const world = await worldWith([
    ...boxes(3),
    { site: "far", labels: { far: "" }, behaviour: { onUpdate: "reject" } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create(
      {
        release: RELEASE,
        waves: [{ selector: "far" }],
        gate: { ...QUICK, error: { maxPercent: 100 } },
      },
      ANNA,
    );
    await service.start(id, ANNA);
    await world.pass(60, tick);
    let view = await service.get(id);
    assert.equal(view.state, "paused");
    assert.equal(view.failures[0]?.code, "release.no-variant");
    await service.skipWave(id, ANNA, 1);
    await world.pass(60, tick);
    view = await service.get(id);
    assert.equal(view.state, "completed");
    const events = await service.events(id);
    assert.ok(events.some(({ sentence }) => sentence.startsWith("Wave 1 was skipped as it was")));
  } finally {
    await world.close();
  }
});

test("a dry run tells who is in, who is out and why", async () => {
  const world = await worldWith([
    { site: "eu/de/one" },
    { site: "eu/de/two", hardware: { providers: ["npu"] } },
    { site: "eu/fr/one" },
    { site: "us/one" },
  ]);
  try {
    const [, , third] = [...world.devices.keys()];
    world.stores.controlRaw.prepare("UPDATE devices SET status = 'revoked' WHERE id = ?").run(third);
    const service = world.service();
    const dry = await service.dryRun({ release: RELEASE, selector: "site=eu", waves: [{ count: 1 }] });
    assert.equal(dry.matched, 3);
    assert.deepEqual(
      dry.waves.map(({ devices }) => devices.map(({ site }) => site)),
      [["eu/de/one"]],
    );
    assert.deepEqual(
      dry.excluded.map(({ reason }) => reason),
      ["no-variant", "revoked"],
    );
    assert.match(dry.excluded[0]?.sentence ?? "", /needs provider cpu, has npu/);
    await assert.rejects(
      service.create({ release: RELEASE, selector: "site=mars" }, ANNA),
      refuses("rollout.no-targets", /matches no device/),
    );
    await assert.rejects(
      service.create({ release: { name: "vibration", version: "9" } }, ANNA),
      refuses("request.not-found", /vibration 9/),
    );
    await assert.rejects(
      service.create({ release: RELEASE, selector: "site=eu", waves: [{ count: 0 }] }, ANNA),
      refuses("rollout.plan-invalid", /waves/),
    );
  } finally {
    await world.close();
  }
});

test("a directive that nobody took up is renewed before it expires", async () => {
  const world = await worldWith([
    { site: "a" },
    { site: "b", behaviour: { offlineFrom: 0, offlineUntil: 12 } },
  ]);
  try {
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create({ release: RELEASE, waves: [{ percent: 100 }], gate: QUICK }, ANNA);
    await service.start(id, ANNA);
    await tick.run();
    await world.pass(60, tick);
    for (let day = 0; day < 40; day += 1) {
      world.now += 86_400_000;
      await tick.run();
    }
    await world.pass(120, tick);
    assert.equal((await service.get(id)).counts.succeeded, 2);
    const rows = await world.stores.control
      .selectFrom("devices")
      .select("generation")
      .orderBy("id")
      .execute();
    assert.deepEqual(
      rows.map(({ generation }) => generation),
      [1, 3],
    );
  } finally {
    await world.close();
  }
});

test("a directive that the broker did not take goes out later", async () => {
  const world = await worldWith(boxes(2));
  try {
    const service = world.service();
    const { id } = await service.create({ release: RELEASE, waves: [{ percent: 100 }], gate: QUICK }, ANNA);
    await service.start(id, ANNA);
    world.brokerDown = true;
    const tick = world.tick();
    await tick.run();
    assert.equal(world.retained.size, 0);
    world.brokerDown = false;
    await tick.run();
    assert.equal(world.retained.size, 2);
    await world.pass(60, tick);
    assert.equal((await service.get(id)).state, "completed");
  } finally {
    await world.close();
  }
});
