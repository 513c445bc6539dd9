import assert from "node:assert/strict";
import { test } from "node:test";
import { Quarantines } from "@muster/control-plane/rollouts/quarantines";
import type { RolloutService } from "@muster/control-plane/rollouts/service";
import { isMusterError } from "@muster/shared/errors";
import { ANNA, type DevicePlan, manifestOf, World } from "./world.ts";

const OLD = manifestOf("vibration", 1);
const NEW = manifestOf("vibration", 2);
const NEXT = manifestOf("vibration", 3);
const GATE = { soakSeconds: 0, metrics: [], error: { minDevices: 1 } };
const CLASS = "linux-x64-cpu";

async function fleet(plans: readonly DevicePlan[]): Promise<World> {
  const world = await World.open();
  const old = await world.addRelease(OLD);
  await world.addRelease(NEW);
  await world.addRelease(NEXT);
  await world.addDevices(plans, old, [OLD, NEW, NEXT]);
  return world;
}

async function begin(service: RolloutService, version: string, more: object): Promise<string> {
  const { id } = await service.create({ release: { name: "vibration", version }, gate: GATE, ...more }, ANNA);
  await service.start(id, ANNA);
  return id;
}

const bad = { onUpdate: "roll-back" as const };

test("a quarantine stops every other rollout of the release on that hardware", async () => {
  const world = await fleet(
    Array.from({ length: 12 }, (_, index) =>
      index < 4 ? { site: `a/s${index}`, behaviour: { ...bad, takes: 3 } } : { site: `b/s${index}` },
    ),
  );
  try {
    const service = world.service();
    const tick = world.tick();
    const other = await begin(service, "2.0.0", {
      selector: "site=b",
      waves: [{ count: 1 }],
      gate: { ...GATE, soakSeconds: 120 },
    });
    const failing = await begin(service, "2.0.0", { selector: "site=a", waves: [{ count: 1 }] });
    await world.pass(60, tick);
    assert.equal((await service.get(failing)).state, "reverted");
    await world.pass(1000, tick);
    const { state, counts } = await service.get(other);
    assert.deepEqual([state, counts.succeeded, counts.skipped], ["completed", 1, 7]);
    const skipped = (await service.devices(other)).devices.filter(({ status }) => status === "skipped");
    assert.ok(skipped.every(({ outcome, attempts }) => outcome === "quarantined" && attempts === 0));
    const said = (await service.events(other)).find(({ kind }) => kind === "quarantined");
    assert.equal(said?.sentence, `vibration 2.0.0 is in quarantine for ${CLASS}: 7 devices are not told.`);
  } finally {
    await world.close();
  }
});

test("a revert passes over a release that came into quarantine", async () => {
  const world = await fleet(Array.from({ length: 6 }, (_, index) => ({ site: `s${index}` })));
  try {
    const service = world.service();
    const tick = world.tick();
    const first = await begin(service, "2.0.0", {
      waves: [{ count: 4 }],
      gate: { ...GATE, soakSeconds: 600 },
    });
    await world.pass(60, tick);
    const [taken, ...others] = (await service.devices(first)).devices.filter(
      ({ status }) => status === "succeeded",
    );
    const second = await begin(service, "3.0.0", {
      selector: `id=${taken?.device}`,
      waves: [],
      priority: 900,
    });
    await world.pass(60, tick);
    assert.equal(world.devices.get(taken?.device ?? "")?.running?.version, "3.0.0");
    for (const { device } of others) world.devices.get(device)?.breakDown();
    await world.pass(60, tick);
    assert.equal((await service.get(first)).state, "reverted");
    await service.revert(second, ANNA);
    await world.pass(60, tick);
    assert.equal((await service.get(second)).state, "reverted");
    assert.equal(world.devices.get(taken?.device ?? "")?.running?.version, "1.0.0");
    const [record] = (await service.devices(second)).devices;
    assert.deepEqual([record?.status, record?.previous?.version], ["returned", "1.0.0"]);
  } finally {
    await world.close();
  }
});

test("an operator lifts a quarantine, with a reason that stays", async () => {
  const world = await fleet([{ site: "a", behaviour: bad }, { site: "b" }]);
  try {
    const service = world.service();
    const plan = { waves: [], selector: "site=a" };
    const rollout = await begin(service, "2.0.0", plan);
    await world.pass(60, world.tick());
    const quarantines = new Quarantines(world.stores, world.clock);
    const [quarantine, ...more] = await quarantines.list();
    assert.deepEqual(
      [quarantine?.name, quarantine?.version, quarantine?.hardwareClass, quarantine?.rollout, more.length],
      ["vibration", "2.0.0", CLASS, rollout, 0],
    );
    const wanted = { release: { name: "vibration", version: "2.0.0" }, ...plan };
    await assert.rejects(service.create(wanted, ANNA), (error) =>
      isMusterError(error, "release.quarantined"),
    );
    for (const [release, hardwareClass] of [
      ["vibration@9.0.0", CLASS],
      ["vibration@2.0.0", "linux-arm64-cpu"],
      ["vibration", CLASS],
      ["sha256:00", CLASS],
    ] as const)
      await assert.rejects(
        quarantines.lift(release, hardwareClass, ANNA, "a reason"),
        (error) => isMusterError(error, "request.not-found"),
        release,
      );
    await quarantines.lift("vibration@2.0.0", CLASS, ANNA, "the box was broken.");
    assert.deepEqual(await quarantines.list(), []);
    await service.create(wanted, ANNA);
    const said = (await service.events(rollout)).at(-1);
    assert.deepEqual(
      [said?.kind, said?.sentence],
      [
        "quarantine-lifted",
        `Anna lifted the quarantine of vibration 2.0.0 for ${CLASS}: the box was broken.`,
      ],
    );
    await assert.rejects(quarantines.lift(quarantine?.digest ?? "", CLASS, ANNA, "again"), (error) =>
      isMusterError(error, "request.not-found"),
    );
  } finally {
    await world.close();
  }
});
