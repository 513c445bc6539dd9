import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Plant } from "../plant/plant.ts";
import { until } from "../plant/wait.ts";

const plant = new Plant();

before(async () => {
  await plant.start();
  plant.feeder.start();
  await plant.release("1.0.0");
  assert.equal((await plant.rollOut("1.0.0")).state, "completed");
});
after(() => plant.stop());

async function cutDevice(afterMs: number): Promise<void> {
  await sleep(afterMs);
  await plant.device.stop("power-cut");
  plant.startDevice();
}

async function cutControlPlane(afterMs: number): Promise<void> {
  await sleep(afterMs);
  await plant.controlPlane.stop("power-cut");
  await plant.controlPlane.start();
}

test("an update goes through power cuts on both sides, and no answered result is lost", async () => {
  await plant.release("1.1.0");
  const rollout = plant.rollOut("1.1.0").catch((error: unknown) => error);
  await cutDevice(700);
  await cutControlPlane(900);
  await cutDevice(1100);
  await cutDevice(400);
  await rollout;

  await until("the new release to run", 90_000, async () => {
    const { running } = await plant.reported();
    return running?.version === "1.1.0" || undefined;
  });
  await plant.feeder.stop();
  const { produced } = plant.feeder.counts;
  assert.ok(produced > 0);
  await until(`${produced} results to be stored`, 30_000, async () => {
    const { storedResults } = await plant.reported();
    return storedResults >= produced || undefined;
  });
});
