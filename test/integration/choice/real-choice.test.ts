import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Inference } from "@muster/agent/inference/inference";
import type { GoldenSet } from "@muster/shared/protocol/model-evidence";
import { GOLDEN, until } from "../runner/bench-box.ts";
import { classifier } from "../runner/models.ts";
import { World } from "../update/world.ts";

const SERVER = fileURLToPath(new URL("../../support/oip-server/server.js", import.meta.url));

const golden: GoldenSet = {
  schema: "muster.golden/1",
  tolerance: { absolute: 1e-4, relative: 1e-3 },
  minAgreement: 1,
  cases: GOLDEN.classifier,
};

test("a box with an external runtime measures it against the CPU, runs the better one and keeps the other in reserve", async () => {
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  let changed: () => void = () => undefined;
  const inference = new Inference({
    version: "1.0.0",
    log: quiet,
    settings: { port: 0, drainSeconds: 1 },
    onResults: () => undefined,
    onEvent: () => undefined,
    onChange: () => changed(),
  });
  const facts = () => ({
    platform: "linux",
    arch: "x64",
    cpuModel: "test",
    cores: 2,
    memoryMiB: 1024,
    opset: 26,
    providers: ["npu", "cpu"],
  });
  const npu = {
    command: process.execPath,
    args: [SERVER, "--model", "{model}", "--name", "{name}", "--socket", "{socket}"],
  };
  const world = await World.create({ inference, facts, runtimes: { npu } });
  changed = () => world.engine.runnerChanged();
  try {
    const serving = { objective: { prefer: "latency" as const } };
    const variants = [{ id: "any", providers: ["npu", "cpu"], model: classifier(), golden }];
    const probation = { minInferences: 0 };
    const result = await world.install(world.release("1.0.0", 1, { variants, serving, probation }));
    assert.equal(result?.outcome, "succeeded", JSON.stringify(result));
    const [component] = world.engine.state().components;
    assert.deepEqual([component?.variant, component?.provider], ["any", "cpu"]);
    const [loser] = component?.choice?.losers ?? [];
    assert.equal(loser?.provider, "npu");
    assert.match(loser?.reason ?? "", /^Worse than any on cpu: median /);
    assert.equal(loser?.measured?.agreement, 1);
    const { url } = inference.status().endpoint;
    const inputs = GOLDEN.classifier[1]!.inputs;
    const response = await fetch(`${url}/v2/models/eyes/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    assert.equal(response.status, 200);

    const forced = { objective: { prefer: "order" as const, minAgreement: 1 } };
    await world.install(world.release("2.0.0", 2, { variants, serving: forced, probation }));
    const [next] = world.engine.state().components;
    assert.equal(next?.provider, "npu");
    assert.match(next?.choice?.losers[0]?.reason ?? "", /^Comes after any on npu in the release/);
    await until(async () => {
      const { url: address } = inference.status().endpoint;
      const path = `${address}/v2/models/eyes/infer`;
      return (await fetch(path, { method: "POST", body: JSON.stringify({ inputs }) })).status === 200;
    }, "the external runtime answers");
  } finally {
    await world.destroy();
    await inference.stop();
  }
});
