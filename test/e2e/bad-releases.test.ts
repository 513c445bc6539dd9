import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hexOf, sha256 } from "@muster/shared/trust/digest";
import { corrupt } from "../models/bad-versions/corrupt.ts";
import { buildDemoModels } from "../models/build.ts";
import { Plant } from "../plant/plant.ts";

const plant = new Plant();

before(async () => {
  await plant.start();
  plant.feeder.start();
  await plant.release("1.0.0");
  assert.equal((await plant.rollOut("1.0.0")).state, "completed");
});
after(() => plant.stop());

/** The device runs the good release, says so, and answers its sensor. */
async function assertStillWorking(): Promise<void> {
  assert.equal((await plant.reported()).running?.version, "1.0.0");
  const { produced } = plant.feeder.counts;
  await sleep(1500);
  assert.ok(plant.feeder.counts.produced > produced, "the sensor gets answers");
}

const bad: [version: string, code: string][] = [
  ["1.2.0-inaccurate", "model.golden-mismatch"],
  ["1.2.0-slow", "probation.latency"],
  ["1.2.0-crashing", "probation.crashed"],
];
for (const [version, code] of bad)
  test(`${version} is undone with ${code}`, async () => {
    await plant.release(version);
    const rollout = await plant.rollOut(version);
    assert.equal(rollout.state, "reverted", rollout.reason ?? "");
    assert.deepEqual(
      rollout.failures.map((failure) => failure.code),
      [code],
    );
    await assertStillWorking();
  });

test("a model that was corrupted after it was signed is undone with artifact.corrupted", async () => {
  await plant.release("1.1.0");
  const models = await buildDemoModels();
  const built = models.families
    .find(({ name }) => name === "vibration")
    ?.releases.find(({ version }) => version === "1.1.0");
  assert.ok(built);
  const spec = JSON.parse(readFileSync(join(built.directory, "release.json"), "utf8"));
  const model = readFileSync(join(built.directory, spec.components[0].variants[0].model));
  await corrupt(join(plant.controlPlane.dataDirectory, "artifacts", "sha256", hexOf(sha256(model))));
  const rollout = await plant.rollOut("1.1.0");
  assert.equal(rollout.state, "reverted", rollout.reason ?? "");
  assert.deepEqual(
    rollout.failures.map((failure) => failure.code),
    ["artifact.corrupted"],
  );
  await assertStillWorking();
});
