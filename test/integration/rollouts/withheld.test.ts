import assert from "node:assert/strict";
import { test } from "node:test";
import { ANNA, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const GATE = { soakSeconds: 0, metrics: [] };
const RELEASE = { name: "vibration", version: "2.0.0" };
const DAY = 86_400_000;

async function fleet(devices: number): Promise<World> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addDevices(
    Array.from({ length: devices }, (_, index) => ({ site: `s${index}` })),
    old,
    [OLD, NEW],
  );
  for (const device of world.devices.values()) device.live();
  return world;
}

/** As an appraisal stores it. */
function appraise(
  world: World,
  device: string,
  tier: "affirming" | "contraindicated",
  more: { withheld?: boolean; withheldAfter?: number } = {},
): void {
  world.stores.controlRaw
    .prepare(
      `INSERT INTO attestation_standings
         (device, tier, claims, findings, sentence, at, fresh_at, not_after, withheld, withheld_after)
       VALUES (?, ?, '{}', '[]', 'Its chain of evidence is forked.', ?, ?, ?, ?, ?)
       ON CONFLICT (device) DO UPDATE SET tier = excluded.tier, at = excluded.at, not_after = excluded.not_after,
         withheld = excluded.withheld, withheld_after = excluded.withheld_after`,
    )
    .run(
      device,
      tier,
      world.now,
      world.now,
      world.now + DAY,
      more.withheld ? 1 : 0,
      more.withheldAfter ?? null,
    );
}

test("a device that does not pass gets no directive and holds nobody up; when it passes it gets its own", async () => {
  const world = await fleet(3);
  try {
    const [, second = ""] = [...world.devices.keys()];
    appraise(world, second, "contraindicated", { withheld: true });
    const service = world.service();
    const tick = world.tick();
    const { id } = await service.create({ release: RELEASE, waves: [{ count: 2 }], gate: GATE }, ANNA);
    await service.start(id, ANNA);
    await world.pass(100, tick);
    const view = await service.get(id);
    assert.equal(view.state, "completed");
    assert.deepEqual([view.counts.succeeded, view.counts.withheld], [2, 1]);
    assert.deepEqual(view.held, { withheld: 1 });
    const { devices } = await service.devices(id, {});
    const part = devices.find(({ device }) => device === second);
    assert.deepEqual(
      [part?.situation, part?.withheldBecause],
      ["withheld", "Its chain of evidence is forked."],
    );
    assert.equal(world.retained.has(second), false, "nothing was issued for it");

    appraise(world, second, "affirming");
    await world.pass(40, tick);
    assert.equal((await service.get(id)).counts.succeeded, 3);
  } finally {
    await world.close();
  }
});

test("a device that is withheld for want of evidence is so from that moment on, without any change of its rows", async () => {
  const world = await fleet(1);
  try {
    const [only = ""] = [...world.devices.keys()];
    appraise(world, only, "affirming", { withheldAfter: world.now + 60_000 });
    const directory = world.loadDirectory();
    assert.deepEqual(directory.get(only)?.trust, {
      assurance: "software",
      verdict: "affirming",
      withheld: false,
    });
    world.now += 60_000;
    assert.match(directory.withheldBecause(only) ?? "", /no evidence that counts since/);
    world.now += DAY;
    assert.deepEqual(directory.get(only)?.trust, { assurance: "software", verdict: "none", withheld: true });
    appraise(world, only, "contraindicated");
    directory.refresh();
    world.now += 2 * DAY;
    assert.equal(directory.get(only)?.trust.verdict, "contraindicated", "silence is no way out");
  } finally {
    await world.close();
  }
});

test("a success that evidence contradicts is none, and a rollout under way says so", async () => {
  const world = await fleet(3);
  try {
    const [first = ""] = [...world.devices.keys()];
    const service = world.service();
    const tick = world.tick();
    const plan = { release: RELEASE, waves: [], gate: { ...GATE, soakSeconds: 3600 } };
    const { id } = await service.create(plan, ANNA);
    await service.start(id, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(id)).counts.succeeded, 3);
    appraise(world, first, "contraindicated", { withheld: true });
    await world.pass(10, tick);
    const view = await service.get(id);
    assert.deepEqual([view.state, view.counts.succeeded, view.counts.withheld], ["running", 2, 1]);
  } finally {
    await world.close();
  }
});

test("the gate on attestation waits for affirming verdicts and turns back on contraindicated ones", async () => {
  const world = await fleet(2);
  try {
    const [first = "", second = ""] = [...world.devices.keys()];
    const service = world.service();
    const tick = world.tick();
    const gate = { ...GATE, attestation: { minAffirmingPercent: 100 } };
    const { id } = await service.create({ release: RELEASE, waves: [], gate }, ANNA);
    await service.start(id, ANNA);
    await world.pass(60, tick);
    const waiting = await service.get(id);
    assert.equal(waiting.state, "running");
    assert.match(waiting.gate?.reason ?? "", /affirming for 0 of 2 updated devices/);
    appraise(world, first, "affirming");
    appraise(world, second, "contraindicated");
    await world.pass(60, tick);
    const view = await service.get(id);
    assert.equal(view.state, "reverted");
    for (const device of world.devices.values()) assert.equal(device.running?.version, "1.0.0");
  } finally {
    await world.close();
  }
});
