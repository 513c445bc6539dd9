import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import { loadCascades } from "@muster/agent/runner/cascade/load-cascade";
import { parseInferRequest } from "@muster/agent/runner/infer-request";
import type { LoadedModel } from "@muster/agent/runner/model";
import { standIn } from "@muster/agent/runner/stand-in";
import type { TensorSpec } from "@muster/agent/runner/tensors/datatypes";
import { isMusterError } from "@muster/shared/errors";
import type { GoldenTensor } from "@muster/shared/protocol/model-evidence";
import type { Cascade } from "@muster/shared/protocol/serving/cascade";

const SPECS: { inputs: TensorSpec[]; outputs: TensorSpec[] } = {
  inputs: [{ name: "x", datatype: "FP32", shape: ["batch", 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: ["batch", 2] }],
};

const deploymentOf = (name: string, more: Partial<ModelDeployment> = {}): ModelDeployment => ({
  name,
  version: "1.0.0",
  variant: "cpu",
  digest: `sha256:${name}`,
  provider: "cpu",
  fallback: false,
  modelPath: "",
  goldenPath: "",
  referencePath: "",
  ...more,
});

const modelOf = (deployment: ModelDeployment, specs = SPECS): LoadedModel => ({
  deployment,
  ...specs,
  run: () => Promise.reject(new Error("not run here")),
  usage: () => ({ cpuUs: 0, rssBytes: 0 }),
  close: async () => {},
});

/** The rungs of the first of the served models, and what was loaded for them. */
async function cascadeOf(served: LoadedModel[], specs = SPECS) {
  const find = (name: string) => served.find(({ deployment }) => deployment.name === name);
  const loads: string[] = [];
  const { rungs, alternatives } = await loadCascades({ all: served, find }, async (deployment) => {
    loads.push(deployment.name);
    return modelOf(deployment, specs);
  });
  return { rungs: rungs.get(served[0]!)!, loads, alternatives };
}

const toLight: Cascade = [{ use: "model", model: "light", when: ["failure"] }];
const heavy = (light: ModelDeployment, more: Partial<ModelDeployment> = {}) =>
  deploymentOf("heavy", { serving: { cascade: toLight }, alternatives: [light], ...more });

describe("the model of a rung", () => {
  test("that is served anyway is not loaded a second time", async () => {
    const light = modelOf(deploymentOf("light"));
    const { rungs, loads, alternatives } = await cascadeOf([modelOf(heavy({ ...light.deployment })), light]);
    assert.deepEqual([loads, alternatives], [[], []]);
    assert.equal(rungs[0]?.use === "model" && rungs[0].model, light);
  });

  test("is no stand-in, which has no answer", async () => {
    const light = deploymentOf("light");
    const served = [modelOf(heavy(light)), modelOf({ ...light, standIn: true })];
    const { rungs, loads } = await cascadeOf(served);
    assert.deepEqual(loads, ["light"]);
    assert.equal(rungs[0]?.use === "model" && rungs[0].model.deployment.standIn, undefined);
  });

  test("names its classes as the primary variant does", async () => {
    const labels = ["good", "bad"];
    for (const [own, fits] of [
      [["good", "bad"], true],
      [["bad", "good"], false],
      [["good"], false],
    ] as const) {
      const made = cascadeOf([modelOf(heavy(deploymentOf("light", { labels: own }), { labels }))]);
      if (fits) assert.equal((await made).rungs.length, 1);
      else
        await assert.rejects(
          made,
          (error) => isMusterError(error, "model.load-failed") && /labels/.test(error.message),
        );
    }
  });
});

describe("a stand-in", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "muster-stand-in-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const tensor = (name: string, shape: number[]): GoldenTensor => ({
    name,
    datatype: "FP32",
    shape,
    data: new Array<number>(shape.reduce((product, size) => product * size, 1)).fill(0),
  });

  async function standInOf(output: number[], cascade: Cascade, more: Partial<ModelDeployment> = {}) {
    const goldenPath = join(folder, `${output.join("x")}.json`);
    const cases = [{ inputs: [tensor("x", [1, 4])], outputs: [tensor("y", output)] }];
    await writeFile(goldenPath, JSON.stringify({ cases }));
    return standIn(deploymentOf("heavy", { goldenPath, serving: { cascade }, standIn: true, ...more }));
  }

  test("takes inputs whose first sizes have nothing to do with each other", async () => {
    const goldenPath = join(folder, "two.json");
    const inputs = [tensor("x", [1, 4]), tensor("mask", [3])];
    await writeFile(goldenPath, JSON.stringify({ cases: [{ inputs, outputs: [tensor("y", [1, 2])] }] }));
    const model = await standIn(deploymentOf("heavy", { goldenPath, standIn: true }));
    const parsed = parseInferRequest(model, Buffer.from(JSON.stringify({ inputs })), undefined);
    assert.deepEqual(parsed.inputs[1]?.shape, [3]);
  });

  test("takes the alternative of a model whose batch is one", async () => {
    const fixed = {
      inputs: [{ ...SPECS.inputs[0]!, shape: [1, 4] }],
      outputs: [{ ...SPECS.outputs[0]!, shape: [1, 2] }],
    };
    const alternatives = [deploymentOf("light")];
    const { rungs } = await cascadeOf([await standInOf([1, 2], toLight, { alternatives })], fixed);
    assert.equal(rungs.length, 1);
  });

  for (const shape of [[1, 2], [3], [5, 4]])
    test(`gives a default of [${shape.join(", ")}]`, async () => {
      const outputs = [tensor("y", shape)];
      const cascade: Cascade = [{ use: "default", outputs, when: ["failure"] }];
      const { rungs } = await cascadeOf([await standInOf(shape, cascade)]);
      assert.equal(rungs[0]?.use, "default");
    });
});
