import assert from "node:assert/strict";
import { test } from "node:test";
import { openHealth } from "@muster/control-plane/health/health";
import { Recorder } from "@muster/control-plane/ingest/recorder";
import type { RolloutTick } from "@muster/control-plane/rollouts/tick";
import type { Heartbeat } from "@muster/shared/protocol/messages";
import type { Directive } from "@muster/shared/trust/directive";
import { counters } from "../../unit/gate/heartbeats.ts";
import type { SimulatedDevice } from "./simulated-device.ts";
import { ANNA, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const RELEASE = { name: "vibration", version: "2.0.0" };
const STEP_MS = 10_000;
const AGREEMENT = { metrics: [{ metric: "shadow-agreement", limit: 95 }], soakSeconds: 10 };

/** What a candidate agreed on, of a hundred inferences in a heartbeat. */
type Agreed = (device: SimulatedDevice) => number;

let seq = 0;

function beatOf(device: SimulatedDevice, at: number, agreed: number): Heartbeat {
  const { running, shadowed } = device;
  seq += 1;
  const live = counters(running?.digest ?? null, { servingMs: STEP_MS });
  const candidate = { inferences: 0, servingMs: 0, shadow: { compared: 100, agreed } };
  return {
    v: 1,
    session: "session-1",
    seq,
    at,
    uptimeSeconds: seq,
    health: {
      agentRss: 1,
      runnerRss: 1,
      loadPerCore: 0.1,
      freeMemoryMiB: 500,
      freeDiskMiB: 500,
      temperatureC: null,
      runnerRestarts: 0,
      outboxBytes: 0,
    },
    agent: { operationalMs: STEP_MS, connectedMs: STEP_MS, syncSucceeded: 1, syncFailed: 0 },
    inference: shadowed ? [live, counters(shadowed.digest, candidate)] : [live],
  };
}

async function openFleet(plan: object, agreed: Agreed) {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  const plans = Array.from({ length: 6 }, (_, index) => ({ site: `eu/site-${index}` }));
  await world.addDevices(plans, old, [OLD, NEW]);
  const service = world.service();
  const { id } = await service.create(
    { release: RELEASE, waves: [{ count: 3 }], blastRadius: {}, ...plan },
    ANNA,
  );
  const { ledger } = await openHealth(world.stores, world.directory, world.clock);
  const recorder = new Recorder(world.stores, ledger, [world.ledger], []);
  const tick = world.tick();
  const pass = async (seconds: number, ticking: RolloutTick = tick) => {
    for (let passed = 0; passed < seconds * 1000; passed += STEP_MS) {
      world.now += STEP_MS;
      for (const device of world.devices.values()) device.live();
      const beats = [...world.devices.values()].map((device) => ({
        kind: "heartbeat" as const,
        device: device.id,
        beat: beatOf(device, world.now, agreed(device)),
        receivedAt: world.now,
      }));
      await recorder.write([], beats);
      await ticking.run();
    }
  };
  await service.start(id, ANNA);
  return { world, service, id, pass };
}

const shadowsTold = async (world: World) => {
  const rows = await world.stores.control.selectFrom("devices").select(["id", "directive"]).execute();
  return rows.flatMap(({ directive }) => {
    const { payload } = JSON.parse(directive ?? "{}") as Partial<Directive>;
    return payload?.release?.version === "2.0.0" ? [payload.shadow?.seconds ?? null] : [];
  });
};

test("a gate on agreement stops a release before a single device has activated it", async () => {
  const plan = { shadow: { seconds: 600 }, gate: AGREEMENT, timeouts: { total: 120 } };
  const { world, service, id, pass } = await openFleet(plan, () => 60);
  try {
    await pass(120);
    const view = await service.get(id);
    assert.equal(view.state, "reverted");
    assert.match(view.reason ?? "", /the shadow agreement is 60 %; the gate asks for at least 95 %/);
    for (const { visited } of world.devices.values()) assert.ok(!visited.includes("2.0.0"));
    const quarantines = await world.stores.control.selectFrom("quarantines").selectAll().execute();
    assert.deepEqual(
      quarantines.map(({ hardware_class }) => hardware_class),
      ["linux-x64-cpu"],
    );
    assert.deepEqual(world.logged, []);
  } finally {
    await world.close();
  }
});

test("a wave in the shadow is waited for, whatever the timeouts; the next one has none", async () => {
  const plan = {
    shadow: { seconds: 600 },
    gate: AGREEMENT,
    timeouts: { total: 120, activating: 30 },
  };
  const { world, service, id, pass } = await openFleet(plan, () => 99);
  try {
    await pass(60);
    assert.deepEqual(await shadowsTold(world), [600, 600, 600]);
    await pass(540);
    const { state, counts, gate } = await service.get(id);
    assert.deepEqual([state, counts.pending, counts.failed], ["running", 3, 0]);
    assert.equal(gate?.conditions.find(({ kind }) => kind === "shadow-agreement")?.verdict, "met");
    await pass(120);
    assert.deepEqual(
      (await shadowsTold(world)).sort((a, b) => Number(a) - Number(b)),
      [null, null, null, 600, 600, 600],
    );
    assert.equal((await service.get(id)).counts.succeeded, 6);
  } finally {
    await world.close();
  }
});

test("a device that is stuck in the shadow times out all the same", async () => {
  const plan = { shadow: { seconds: 30 }, gate: AGREEMENT, timeouts: { total: 60 }, waves: [] };
  const { world, service, id, pass } = await openFleet(plan, () => 99);
  try {
    for (const device of world.devices.values()) Object.assign(device.behaviour, { takes: 1000 });
    await pass(110);
    assert.equal((await service.get(id)).counts.failed, 0);
    await pass(30);
    const failures = (await service.get(id)).failures.map(({ code }) => code);
    assert.deepEqual(failures, ["rollout.timed-out"]);
  } finally {
    await world.close();
  }
});

test("the way back asks for no shadow", async () => {
  const plan = { shadow: { seconds: 30, waves: "all" }, gate: { soakSeconds: 10, metrics: [] } };
  const { world, service, id, pass } = await openFleet(plan, () => 99);
  try {
    await pass(300);
    assert.equal((await service.get(id)).state, "completed");
    assert.deepEqual(await shadowsTold(world), [30, 30, 30, 30, 30, 30]);
    await service.revert(id, ANNA, "a test");
    await pass(60);
    const rows = await world.stores.control.selectFrom("devices").select("directive").execute();
    for (const { directive } of rows)
      assert.equal((JSON.parse(directive ?? "") as Directive).payload.shadow, null);
    assert.equal((await service.get(id)).state, "reverted");
  } finally {
    await world.close();
  }
});
