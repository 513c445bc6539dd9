import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isShadowReportBy } from "@muster/shared/protocol/shadow-report";
import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import { DEVICE, DEVICE_KEY, World } from "./world.ts";

const rule: ShadowRule = {
  seconds: 1,
  samplePercent: 100,
  cpuPercent: 100,
  minCompared: 100,
  minAgreementPercent: 95,
};

let world: World;
before(async () => {
  world = await World.create();
  await world.install(world.release("1.0.0", 1));
});
after(() => world.destroy());

const shadowed = async (...[version, sequence, plan]: Parameters<World["release"]>) =>
  world.ended(await world.order(world.release(version, sequence, plan), { shadow: rule }));

test("a candidate that disagrees never serves, and the signed report says why", async () => {
  const result = await shadowed("1.1.0", 2, { fate: { shadow: { agreed: 50 } } });
  assert.equal(result?.outcome, "failed-unchanged");
  assert.equal(result?.failure?.code, "shadow.disagrees");
  await world.serves("1.0.0");
  assert.deepEqual(world.inference.history, ["1.0.0"]);
  assert.equal(world.inference.leaked, 0);
  const [report] = world.shadows();
  assert.ok(report && isShadowReportBy(DEVICE_KEY.publicKey, report));
  assert.deepEqual(
    [report.payload.device, report.payload.live.version, report.payload.candidate.version],
    [DEVICE, "1.0.0", "1.1.0"],
  );
  assert.equal(report.payload.verdict, "disagreed");
  assert.deepEqual(
    report.payload.models.map(({ model, compared, agreed }) => [model, compared, agreed]),
    [["eyes", 100, 50]],
  );
});

test("a candidate that crashes in the shadow fails with the code of the crash", async () => {
  const result = await shadowed("1.2.0", 3, { fate: { shadow: { crash: "runner.crashed" } } });
  assert.deepEqual([result?.outcome, result?.failure?.code], ["failed-unchanged", "runner.crashed"]);
  assert.equal(world.shadows().at(-1)?.payload.verdict, "failed");
  await world.serves("1.0.0");
});

test("a candidate that agrees serves once its time is over", async () => {
  const result = await shadowed("1.3.0", 4);
  assert.equal(result?.outcome, "succeeded");
  assert.equal(world.shadows().at(-1)?.payload.verdict, "agreed");
  await world.serves("1.3.0");
  assert.equal(world.inference.leaked, 0);
});

test("too little traffic fails no device: the report says that nothing was found out", async () => {
  const result = await shadowed("1.4.0", 5, { fate: { shadow: { agreed: -1 } } });
  assert.equal(result?.outcome, "succeeded");
  const report = world.shadows().at(-1)?.payload;
  assert.equal(report?.verdict, "inconclusive");
  assert.match(report?.reason ?? "", /0 inferences were compared within 2 s; 100 are asked for/);
});

test("a newer directive ends the shadow; a restart begins it again", async () => {
  const slow = { ...rule, seconds: 3600 };
  const release = world.release("1.5.0", 6);
  await world.order(release, { shadow: slow });
  await world.until(() => world.engine.state().update?.phase === "staged");
  await world.reboot();
  await world.until(() => world.engine.state().update?.phase === "staged");
  await world.serves("1.4.0");
  const before = world.shadows().length;
  const back = await world.install(world.release("1.6.0", 7));
  assert.equal(back?.outcome, "succeeded");
  assert.equal(world.shadows().length, before);
  await world.serves("1.6.0");
  assert.equal(world.inference.leaked, 0);
});

test("a release that is live already, and one beside nothing, needs no shadow", async () => {
  const fresh = await World.create();
  try {
    const release = fresh.release("2.0.0", 1, { fate: { shadow: { agreed: 0 } } });
    const first = await fresh.ended(await fresh.order(release, { shadow: rule }));
    assert.equal(first?.outcome, "succeeded");
    const again = await fresh.ended(await fresh.order(release, { shadow: rule }));
    assert.equal(again?.outcome, "succeeded");
    assert.deepEqual(fresh.shadows(), []);
  } finally {
    await fresh.destroy();
  }
});
