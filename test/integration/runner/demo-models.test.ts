import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import { buildDemoModels, type DemoModels } from "../../models/build.ts";
import { BenchBox, until } from "./bench-box.ts";
import { call, infer } from "./client.ts";

let box: BenchBox;
let demo: DemoModels;

before(async () => {
  demo = await buildDemoModels();
  box = await BenchBox.create({ settings: { restartMinSeconds: 0.05 } });
});

after(() => box.close());

/** The models of a release directory, every variant under a name of its own. */
async function modelsOf(directory: string): Promise<ModelDeployment[]> {
  const spec = parseJson(
    ReleaseSpec,
    await readFile(join(directory, "release.json")),
    "release.manifest-invalid",
  );
  const models = spec.components.filter((component) => component.type === "model");
  return Promise.all(
    models.flatMap(({ name, version, labels, variants }) =>
      variants.map(async (variant) => ({
        name: `${name}-${variant.id}`,
        version,
        variant: variant.id,
        digest: sha256(await readFile(join(directory, variant.model))),
        provider: "cpu",
        fallback: false,
        labels: labels ?? [],
        modelPath: join(directory, variant.model),
        goldenPath: join(directory, variant.golden),
        referencePath: join(directory, variant.reference),
      })),
    ),
  );
}

test("all variants of the good demo releases prove themselves in one runner after the other", async () => {
  const good = demo.families.flatMap(({ releases }) => releases.filter(({ kind }) => kind === "good"));
  assert.ok(good.length > 1);
  for (const [index, { directory }] of good.entries()) {
    await box.serve(await modelsOf(directory), index + 1);
    assert.equal(box.inference.status().components.length, 2);
  }
});

test("the release that crashes proves itself, and dies of strong inputs alone", {
  skip: process.arch !== "x64",
}, async () => {
  const crashing = demo.families[0]!.releases.find(({ kind }) => kind === "crashing")!;
  const [model] = await modelsOf(crashing.directory);
  await box.serve([model!]);
  const target = { url: box.url };
  const { json } = await call(target, "GET", `/v2/models/${model!.name}`);
  const [{ name, datatype, shape }] = json.inputs;
  const sizes = shape.map((size: number) => Math.max(size, 1));
  const count = sizes.reduce((product: number, size: number) => product * size, 1);
  const send = (value: number) =>
    infer(target, model!.name, {
      inputs: [{ name, datatype, shape: sizes, data: new Array(count).fill(value) }],
    });
  assert.equal((await send(0)).status, 200);
  await assert.rejects(send(1000), { code: "ECONNRESET" });
  await until(() => box.inference.observed().crashes === 1, "the crash is seen");
  await until(() => box.inference.status().state === "ready", "it is started again");
  assert.equal((await send(0)).status, 200);
});
