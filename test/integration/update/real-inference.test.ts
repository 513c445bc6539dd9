import assert from "node:assert/strict";
import { test } from "node:test";
import { Inference } from "@muster/agent/inference/inference";
import type { GoldenSet } from "@muster/shared/protocol/model-evidence";
import { classifier, trap } from "../runner/models.ts";
import { World } from "./world.ts";

const tensor = (name: string, datatype: string, data: number[], shape = [data.length]) => ({
  name,
  datatype,
  shape,
  data,
});
const goldenOf = (inputs: ReturnType<typeof tensor>[], outputs: ReturnType<typeof tensor>[]): GoldenSet => ({
  schema: "muster.golden/1",
  tolerance: { absolute: 1e-4, relative: 1e-4 },
  minAgreement: 1,
  cases: [{ inputs, outputs }],
});

const zeros = tensor("x", "FP32", [0, 0, 0, 0], [1, 4]);
const even = goldenOf([zeros], [tensor("scores", "FP32", [0.25, 0.25, 0.25, 0.25], [1, 4])]);
const uneven = goldenOf([zeros], [tensor("scores", "FP32", [0.4, 0.2, 0.2, 0.2], [1, 4])]);
const division = goldenOf(
  [tensor("a", "INT32", [8]), tensor("b", "INT32", [2])],
  [tensor("quotient", "INT32", [4])],
);

test("with the real runner: install, refuse wrong outputs, roll back a crash, restart", async () => {
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  let changed: () => void = () => undefined;
  const start = () =>
    new Inference({
      version: "1.0.0",
      log: quiet,
      settings: { port: 0, drainSeconds: 1 },
      onResults: () => undefined,
      onEvent: () => undefined,
      onChange: () => changed(),
    });
  let inference = start();
  const over = { inference };
  const world = await World.create(over);
  changed = () => world.engine.runnerChanged();
  const infer = async (inputs: object[]) => {
    const { url } = inference.status().endpoint;
    const response = await fetch(`${url}/v2/models/eyes/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    return response.status;
  };
  try {
    const probation = { minInferences: 3, maxErrorRate: 1 };
    const good = { real: { model: classifier(1), golden: even }, probation };
    const generation = await world.order(world.release("1.0.0", 1, good));
    await world.serves("1.0.0");
    await world.until(() => world.engine.state().update?.phase === "probation");
    for (let count = 0; count < 3; count++) assert.equal(await infer([zeros]), 200);
    assert.equal((await world.ended(generation))?.outcome, "succeeded");

    const wrong = await world.install(
      world.release("2.0.0", 2, { real: { model: classifier(2), golden: uneven } }),
    );
    assert.deepEqual([wrong?.outcome, wrong?.failure?.code], ["failed-unchanged", "model.golden-mismatch"]);
    assert.equal(await infer([zeros]), 200);

    const crashing = { real: { model: trap(), golden: division }, probation };
    const third = await world.order(world.release("3.0.0", 3, crashing));
    await world.until(() => world.engine.state().update?.phase === "probation");
    const deadly = [tensor("a", "INT32", [-(2 ** 31)]), tensor("b", "INT32", [-1])];
    while (world.engine.state().update?.phase === "probation") {
      await infer(deadly).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const rolledBack = await world.ended(third);
    assert.deepEqual(
      [rolledBack?.outcome, rolledBack?.failure?.code],
      ["failed-rolled-back", "probation.crashed"],
    );
    await world.serves("1.0.0");
    assert.equal(await infer([zeros]), 200);

    await world.shutdown();
    await inference.stop();
    inference = start();
    over.inference = inference;
    await world.origin.stop();
    await world.boot();
    await world.serves("1.0.0");
    assert.equal(await infer([zeros]), 200);
  } finally {
    await world.destroy();
    await inference.stop();
  }
});
