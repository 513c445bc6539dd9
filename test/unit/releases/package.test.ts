import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { packageRelease, readReleaseSpec } from "@muster/control-plane/releases/package";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "muster-package-"));
  for (const name of ["m.onnx", "g.json", "r.json"]) await writeFile(join(folder, name), `{"of":"${name}"}`);
});
after(() => rm(folder, { recursive: true, force: true }));

test("what a spec says of serving, labels and requirements is what is signed", async () => {
  const serving = { objective: { prefer: "latency", minAccuracy: 0.9 }, batching: { maxBatch: 8 } };
  const requires = { providers: ["webgpu", "cpu"], minPlacement: 0.8 };
  const spec = {
    schema: "muster.release-spec/1",
    name: "line",
    version: "1.0.0",
    components: [
      {
        type: "model",
        name: "eyes",
        version: "1.0.0",
        labels: ["good", "bad"],
        serving,
        variants: [
          { id: "any", precision: "fp32", requires, model: "m.onnx", golden: "g.json", reference: "r.json" },
        ],
      },
    ],
    probation: {
      minSeconds: 0,
      deadlineSeconds: 1,
      minInferences: 0,
      maxErrorRate: 1,
      maxP95Ms: 1,
      maxCrashes: 0,
    },
  };
  const file = join(folder, "release.json");
  await writeFile(file, JSON.stringify(spec));
  const { manifest } = await packageRelease(file, await readReleaseSpec(file), 1);
  const [component] = manifest.components;
  assert.ok(component?.type === "model");
  assert.deepEqual(component.serving, serving);
  assert.deepEqual(component.labels, ["good", "bad"]);
  assert.deepEqual(component.variants[0]?.requires, requires);
});
