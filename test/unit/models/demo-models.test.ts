import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { GoldenSet } from "@muster/shared/protocol/model-evidence";
import { parseJson } from "@muster/shared/protocol/validate";
import { buildDemoModels, type DemoModels, FAMILIES } from "../../models/build.ts";
import { agreement, classesOf, goldenAgreement } from "../../models/evidence/compare.ts";
import { LoadedModel } from "../../models/runtime.ts";
import { seededRandom } from "../../models/training/random.ts";
import { drawBatch } from "../../models/training/train.ts";
import { executedOperators } from "./profile.ts";

let models: DemoModels;
before(async () => {
  models = await buildDemoModels();
});

const releaseOf = (family: string, version: string) =>
  models.families
    .find(({ name }) => name === family)!
    .releases.find((release) => release.version === version)!;

const fileOf = (family: string, version: string, name: string): string =>
  join(releaseOf(family, version).directory, `${family}.${name}`);

const goldenOf = async (family: string, version: string, precision: string): Promise<GoldenSet> =>
  parseJson(
    GoldenSet,
    await readFile(fileOf(family, version, `${precision}.golden.json`)),
    "model.golden-mismatch",
  );

for (const { name, face, draw, labels } of FAMILIES) {
  const load = async (version: string, precision: string): Promise<LoadedModel> =>
    LoadedModel.load(await readFile(fileOf(name, version, `${precision}.onnx`)), face.dims);

  test(`${name}: on fresh samples both variants are good and int8 stays within one point of fp32`, async () => {
    const fresh = drawBatch(draw, 2_000, seededRandom(987_654));
    const accuracies: number[] = [];
    for (const precision of ["int8", "fp32"]) {
      const model = await load("1.1.0", precision);
      const accuracy = agreement(classesOf(await model.run(fresh.data), labels.length), fresh.labels);
      await model.close();
      assert.ok(accuracy > 0.93 && accuracy < 1, `${precision} ${accuracy}`);
      accuracies.push(accuracy);
    }
    assert.ok(Math.abs(accuracies[0]! - accuracies[1]!) <= 0.01, `${accuracies}`);
    for (const version of ["1.0.0", "1.1.0"]) {
      const [int8, fp32] = releaseOf(name, version).variants;
      assert.ok(Math.abs(int8!.accuracy - fp32!.accuracy) <= 0.01);
      assert.ok(int8!.bytes < fp32!.bytes / 2);
    }
  });

  test(`${name}: the batch dimension is free and a row's answer does not depend on its company`, async () => {
    const { data } = drawBatch(draw, 5, seededRandom(3));
    for (const precision of ["int8", "fp32"]) {
      const model = await load("1.1.0", precision);
      const together = await model.run(data);
      const width = data.length / 5;
      for (let row = 0; row < 5; row++) {
        const alone = await model.run(data.subarray(row * width, (row + 1) * width));
        for (const [i, value] of alone.entries()) {
          assert.ok(Math.abs(value - together[row * labels.length + i]!) < 1e-4);
        }
      }
      await model.close();
    }
  });

  test(`${name}: ONNX Runtime runs every int8 convolution and dense layer in integers`, async () => {
    const bytes = await readFile(fileOf(name, "1.1.0", "int8.onnx"));
    const counts = await executedOperators(bytes, face.dims, draw(seededRandom(1)).data);
    assert.equal(counts.get("QLinearConv"), 3);
    assert.equal(counts.get("QGemm"), 2);
    for (const op of ["Conv", "FusedConv", "Gemm", "FusedGemm"]) assert.equal(counts.get(op), undefined, op);
  });

  test(`${name}: good and slow versions pass their golden set, the inaccurate one fails it`, async () => {
    for (const precision of ["int8", "fp32"]) {
      for (const version of ["1.0.0", "1.1.0", "1.2.0-slow", "1.2.0-inaccurate"]) {
        const model = await load(version, precision);
        const golden = await goldenOf(name, version, precision);
        assert.equal(golden.cases.length, 16);
        const share = await goldenAgreement(model, golden);
        await model.close();
        if (version === "1.2.0-inaccurate") assert.ok(share < 0.5, `${precision} ${share}`);
        else assert.ok(share >= golden.minAgreement, `${version} ${precision} ${share}`);
      }
    }
  });

  test(`${name}: the crashing version passes its golden set and takes a process down on live traffic`, {
    skip: process.arch === "x64" ? false : "elsewhere it hangs instead of dying",
  }, async () => {
    for (const precision of ["int8", "fp32"]) {
      const child = spawn(
        process.execPath,
        [
          join(import.meta.dirname, "crash-child.js"),
          name,
          fileOf(name, "1.2.0-crashing", `${precision}.onnx`),
          fileOf(name, "1.2.0-crashing", `${precision}.golden.json`),
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      let output = "";
      child.stdout.on("data", (chunk) => {
        output += String(chunk);
      });
      const [code, signal] = await once(child, "close");
      assert.deepEqual([code, signal, output], [null, "SIGFPE", "golden 1\n"]);
    }
  });
}
