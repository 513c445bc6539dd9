import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Inference } from "@muster/agent/inference/inference";
import type { GoldenSet } from "@muster/shared/protocol/model-evidence";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import { classifier } from "../runner/models.ts";
import { World } from "../update/world.ts";

const tensor = (name: string, data: number[]) => ({ name, datatype: "FP32", shape: [1, data.length], data });
/** What was seen when the release was made: this input, these scores. */
const golden: GoldenSet = {
  schema: "muster.golden/1",
  tolerance: { absolute: 1e-4, relative: 1e-4 },
  minAgreement: 1,
  cases: [{ inputs: [tensor("x", [1, 0, 0, 0])], outputs: [tensor("scores", softmax([1, 0, 0, 0]))] }],
};
const probation = { minInferences: 0, maxErrorRate: 1 };

function softmax(values: number[]): number[] {
  const powers = values.map(Math.exp);
  const sum = powers.reduce((all, each) => all + each, 0);
  return powers.map((each) => each / sum);
}

/** The real runner and the real update engine; somebody puts another model where the right one was. */
describe("a poisoned model", () => {
  let inference: Inference;
  let world: World;
  let first: ReleaseRef;
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

  before(async () => {
    let changed: () => void = () => undefined;
    inference = new Inference({
      version: "1.0.0",
      log: quiet,
      settings: { port: 0, drainSeconds: 1 },
      onResults: () => undefined,
      onEvent: () => undefined,
      onChange: () => changed(),
    });
    world = await World.create({ inference });
    changed = () => world.engine.runnerChanged();
    first = world.release("1.0.0", 1, { real: { model: classifier(1), golden }, probation });
    assert.equal((await world.install(first))?.outcome, "succeeded");
  });
  after(async () => {
    await world?.destroy();
    await inference?.stop();
  });

  it("does not get past its digest on the way", async () => {
    world.origin.fault = () => ({ kind: "flip", at: 100 });
    const next = world.release("1.1.0", 2, { real: { model: classifier(2), golden }, probation });
    const result = await world.install(next);
    world.origin.fault = () => undefined;
    assert.deepEqual([result?.outcome, result?.failure?.code], ["failed-unchanged", "artifact.corrupted"]);
    await world.serves("1.0.0");
  });

  it("that was signed, but answers otherwise than it did in the workshop, never serves", async () => {
    const next = world.release("1.2.0", 3, { real: { model: classifier(-1), golden }, probation });
    const result = await world.install(next);
    assert.deepEqual([result?.outcome, result?.failure?.code], ["failed-unchanged", "model.golden-mismatch"]);
    await world.serves("1.0.0");
    assert.equal(world.current(), "1.0.0");
  });

  it("leaves nothing behind: the next good one is taken", async () => {
    const next = world.release("1.3.0", 4, { real: { model: classifier(1), golden }, probation });
    assert.equal((await world.install(next))?.outcome, "succeeded");
  });
});
