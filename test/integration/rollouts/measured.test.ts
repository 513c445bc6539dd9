import assert from "node:assert/strict";
import { test } from "node:test";
import { openHealth } from "@muster/control-plane/health/health";
import { Recorder } from "@muster/control-plane/ingest/recorder";
import { ExposureLedger } from "@muster/control-plane/rollouts/exposure/ledger";
import { INFERENCES } from "@muster/control-plane/rollouts/exposure/sums";
import type { GateView } from "@muster/control-plane/rollouts/gate/views";
import type { RolloutTick } from "@muster/control-plane/rollouts/tick";
import type { Heartbeat } from "@muster/shared/protocol/messages";
import { counters, type Measured } from "../../unit/gate/heartbeats.ts";
import type { SimulatedDevice } from "./simulated-device.ts";
import { ANNA, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const RELEASE = { name: "vibration", version: "2.0.0" };
const STEP_MS = 10_000;

/** What a device measured in one step while it ran the old release, or the new one. */
type Behaviour = (isNew: boolean, index: number) => Measured;

const healthy = (index: number): Measured => ({
  inferences: 100,
  failures: index % 3 === 0 ? 1 : 0,
  latencyMs: { 12: 90, [index % 2 === 0 ? 20 : 30]: 10 },
  servingMs: STEP_MS,
});

/** Heartbeats of all devices, written as the ingest writes them, into the real books. */
class Beats {
  recorder: Recorder;
  readonly #world: World;
  readonly #behave: Behaviour;
  #seq = 0;

  private constructor(world: World, recorder: Recorder, behave: Behaviour) {
    this.#world = world;
    this.recorder = recorder;
    this.#behave = behave;
  }

  static async open(world: World, behave: Behaviour): Promise<Beats> {
    return new Beats(world, await Beats.recorder(world, world.ledger), behave);
  }

  static async recorder({ stores, directory, clock }: World, exposures: ExposureLedger): Promise<Recorder> {
    const { ledger } = await openHealth(stores, directory, clock);
    return new Recorder(stores, ledger, [exposures]);
  }

  /** The fleet lives, beats and is decided about, step by step. */
  async pass(seconds: number, tick: RolloutTick): Promise<void> {
    const world = this.#world;
    for (let passed = 0; passed < seconds * 1000; passed += STEP_MS) {
      world.now += STEP_MS;
      for (const device of world.devices.values()) device.live();
      this.#seq += 1;
      const online = [...world.devices.values()].filter((device) => device.online);
      await this.recorder.write(
        [],
        online.map((device, index) => ({
          kind: "heartbeat" as const,
          device: device.id,
          beat: this.#beatOf(device, index),
          receivedAt: world.now,
        })),
      );
      await tick.run();
    }
  }

  #beatOf({ running }: SimulatedDevice, index: number): Heartbeat {
    const measured = { ...healthy(index), ...this.#behave(running?.version === "2.0.0", index) };
    return {
      v: 1,
      session: "session-1",
      seq: this.#seq,
      at: this.#world.now,
      uptimeSeconds: this.#seq * 10,
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
      inference: [counters(running?.digest ?? null, measured)],
    };
  }
}

async function openFleet(behave: Behaviour, gate: object = {}, more: object = {}) {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  const plans = Array.from({ length: 60 }, (_, index) => ({ site: `eu/site-${index % 12}` }));
  await world.addDevices(plans, old, [OLD, NEW]);
  const service = world.service();
  const { id } = await service.create(
    {
      release: RELEASE,
      waves: [{ count: 12 }],
      gate: { soakSeconds: 60, ...gate },
      blastRadius: {},
      ...more,
    },
    ANNA,
  );
  const beats = await Beats.open(world, behave);
  const tick = world.tick();
  await beats.pass(60, tick);
  await service.start(id, ANNA);
  return { world, service, id, beats, tick, old };
}

const visitors = (world: World): number =>
  [...world.devices.values()].filter(({ visited }) => visited.includes("2.0.0")).length;

for (const [words, bad, metric] of [
  ["fails on a third of its inferences", { failures: 33 }, "error-rate"],
  ["takes four times as long", { latencyMs: 60 }, "latency-p95"],
  ["runs on the wrong provider", { fallbacks: 80 }, "fallback-rate"],
  ["crashes every ten seconds", { crashes: 1 }, "crash-free-hours"],
] as const)
  test(`a release that ${words}, as only heartbeats say, is stopped in its first wave and reverted`, async () => {
    const { world, service, id, beats, tick } = await openFleet((isNew) => (isNew ? bad : {}));
    try {
      await beats.pass(900, tick);
      const view = await service.get(id);
      assert.equal(view.state, "reverted");
      const violated = view.gate?.conditions.filter(({ verdict }) => verdict === "violated") ?? [];
      assert.deepEqual(
        violated.map(({ kind }) => kind),
        [metric],
      );
      assert.ok((violated[0]?.comparison?.devices ?? 0) > 2);
      assert.ok((violated[0]?.comparison?.controls ?? 0) >= 40, "compared with those of the later wave");
      assert.equal(visitors(world), 12, "nobody beyond the first wave");
      assert.equal(view.counts.returned, 12);
      for (const { running } of world.devices.values()) assert.equal(running?.version, "1.0.0");
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

test("a release that is as good as the old one passes every comparison and completes", async () => {
  const { world, service, id, beats, tick } = await openFleet(() => ({}));
  try {
    while ((await service.get(id)).wave !== 2) await beats.pass(10, tick);
    const { gate } = await world.stores.control
      .selectFrom("rollouts")
      .select("gate")
      .executeTakeFirstOrThrow();
    const { conditions } = JSON.parse(gate ?? "") as GateView;
    const compared = conditions.flatMap(({ comparison }) => (comparison ? [comparison.devices] : []));
    assert.deepEqual(compared, [12, 12, 12, 12], "each device of the wave was compared once by each metric");
    await beats.pass(600, tick);
    const view = await service.get(id);
    assert.equal(view.state, "completed");
    assert.equal(view.counts.succeeded, 60);
    assert.deepEqual(world.logged, []);
  } finally {
    await world.close();
  }
});

test("a release that is better than the old one is not stopped for being different", async () => {
  const { world, service, id, beats, tick } = await openFleet((isNew) =>
    isNew ? { failures: 0, latencyMs: 2 } : { failures: 8, latencyMs: 40 },
  );
  try {
    await beats.pass(600, tick);
    assert.equal((await service.get(id)).state, "completed");
  } finally {
    await world.close();
  }
});

test("a limit waits for its sample, then stops the release", async () => {
  const gate = {
    metrics: [{ metric: "error-rate", limit: 5 }],
    sample: { minInferences: 12_000 },
  };
  const { world, service, id, beats, tick } = await openFleet(
    (isNew) => (isNew ? { failures: 9 } : {}),
    gate,
  );
  try {
    await beats.pass(60, tick);
    const early = (await service.get(id)).gate;
    assert.equal(early?.verdict, "inconclusive");
    await beats.pass(180, tick);
    const view = await service.get(id);
    assert.equal(view.state, "reverted");
    assert.match(view.reason ?? "", /error rate is 9 %.*at most 5 %/);
    assert.equal(visitors(world), 12);
  } finally {
    await world.close();
  }
});

test("evidence outlives late joiners, a restart and a lost lease in the middle of the wave", async () => {
  const gate = { metrics: [{ metric: "error-rate", limit: 50 }], soakSeconds: 3600 };
  const { world, id, beats, tick, old } = await openFleet(() => ({}), gate, { lateJoiners: "include" });
  try {
    await beats.pass(90, tick);
    const measured = (ledger: ExposureLedger) =>
      ledger.of(id).arms().get("linux-x64-cpu")?.updated[INFERENCES] ?? 0;
    const before = measured(world.ledger);
    assert.ok(before >= 12 * 600, String(before));
    await world.addDevices([{ site: "eu/site-1" }], old, [OLD, NEW]);
    await beats.pass(60, tick);
    assert.equal(measured(world.ledger), before + 12 * 600);

    const ledger = ExposureLedger.load(world.stores.telemetryRaw);
    const again = world.tick({ ledger });
    await again.prepare();
    assert.equal(measured(ledger), before + 12 * 600);
    beats.recorder = await Beats.recorder(world, ledger);
    await beats.pass(60, again);
    assert.equal(measured(ledger), before + 12 * 1200);
    await world.tick({ ledger, holder: "another" }).run();
    assert.equal(measured(ledger), before + 12 * 1200, "who may not decide does not forget it either");
    assert.deepEqual(world.logged, []);
  } finally {
    await world.close();
  }
});
