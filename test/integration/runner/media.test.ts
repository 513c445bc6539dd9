import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import type { Pipeline } from "@muster/shared/protocol/serving/pipeline";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import { buildDemoModels, type DemoModels } from "../../models/build.ts";
import { defects } from "../../models/defects/family.ts";
import type { ModelFamily } from "../../models/family.ts";
import { seededRandom } from "../../models/training/random.ts";
import { vibration } from "../../models/vibration/family.ts";
import { bomb, jpeg, png } from "../../unit/pipeline/pictures.ts";
import { BenchBox } from "./bench-box.ts";
import { call, infer } from "./client.ts";

let box: BenchBox;
let demo: DemoModels;

before(async () => {
  demo = await buildDemoModels();
  box = await BenchBox.create();
});

after(() => box.close());

/** The quantized model of a good release, with a pipeline. */
async function modelOf(
  family: ModelFamily,
  pipeline: Pipeline | undefined = family.pipeline,
): Promise<ModelDeployment> {
  const { directory } = demo.families
    .find(({ name }) => name === family.name)!
    .releases.find(({ kind }) => kind === "good")!;
  const spec = parseJson(
    ReleaseSpec,
    await readFile(join(directory, "release.json")),
    "release.manifest-invalid",
  );
  const { name, version, labels, variants } = spec.components.find(({ type }) => type === "model") as Extract<
    (typeof spec.components)[number],
    { type: "model" }
  >;
  const [variant] = variants;
  return {
    name,
    version,
    variant: variant!.id,
    digest: sha256(await readFile(join(directory, variant!.model))),
    provider: "cpu",
    fallback: false,
    labels: labels ?? [],
    modelPath: join(directory, variant!.model),
    goldenPath: join(directory, variant!.golden),
    referencePath: join(directory, variant!.reference),
    ...(pipeline && { serving: { pipeline } }),
  };
}

const post = (model: string, type: string, body: Uint8Array, headers: Record<string, string> = {}) =>
  call({ url: box.url }, "POST", `/v2/models/${model}/infer`, body, { "content-type": type, ...headers });

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
const outputsOf = (json: any): Record<string, any> =>
  Object.fromEntries(json.outputs.map((output: { name: string }) => [output.name, output]));

const tensors = (family: ModelFamily, data: Float32Array, parameters = {}) =>
  infer({ url: box.url }, family.name, {
    inputs: [{ name: family.face.input, datatype: "FP32", shape: [1, ...family.face.dims], data: [...data] }],
    parameters,
  });

const bytesOf = (data: Float32Array): Uint8Array => Uint8Array.from(data, (value) => Math.round(value * 255));

const signalOf = (...parts: Float32Array[]): Uint8Array =>
  new Uint8Array(
    Int16Array.from(
      parts.flatMap((part) => [...part]),
      (value) => Math.round(value * 1000),
    ).buffer,
  );

const mapsLibrary = (name: string): boolean =>
  readFileSync(`/proc/${box.inference.status().pid}/maps`, "utf8").includes(name);

test("a PNG gives the label that its tensor gives, and the record keeps the model's own verdict", async () => {
  await box.serve([await modelOf(defects)], 1);
  const random = seededRandom(77);
  for (let count = 0; count < 20; count++) {
    const { data } = defects.draw(random);
    const { json, status } = await post("defects", "image/png", await png(32, 32, 1, bytesOf(data)));
    assert.equal(status, 200, JSON.stringify(json));
    const picture = outputsOf(json);
    const { top_label, top_score, top_index, probabilities } = outputsOf(
      (await tensors(defects, data, { muster_pipeline: true })).json,
    );
    assert.deepEqual(picture.top_label.data, top_label.data);
    assert.deepEqual(picture.top_index.data, top_index.data);
    assert.deepEqual(picture.top_label.shape, [1, 3]);
    for (const [at, score] of top_score.data.entries())
      assert.ok(Math.abs(picture.top_score.data[at] - score) < 1e-5);
    const plain = outputsOf((await tensors(defects, data)).json);
    assert.deepEqual(Object.keys(plain), ["probabilities"]);
    assert.deepEqual(plain.probabilities.data, probabilities.data);
    const best = plain.probabilities.data.indexOf(Math.max(...plain.probabilities.data));
    assert.equal(picture.top_label.data[0], defects.labels[best]);
  }
});

test("a picture of another size and kind is brought to the model's", async () => {
  const big = new Uint8Array(640 * 480 * 3).fill(128);
  const { status, json } = await post("defects", "image/jpeg", await jpeg(640, 480, big));
  assert.equal(status, 200, JSON.stringify(json));
  const gray = await post("defects", "image/png", await png(32, 32, 1, new Uint8Array(1024).fill(128)));
  assert.equal(outputsOf(json).top_label.data[0], outputsOf(gray.json).top_label.data[0]);
});

test("id and durability come in headers, and the record carries them", async () => {
  const body = await png(32, 32, 1, new Uint8Array(1024).fill(90));
  const { status, json } = await post("defects", "image/png; charset=binary", body, {
    "muster-request-id": "camera-7-0001",
    "muster-durable": "true",
    "muster-priority": "1",
    "muster-timeout": "5000000",
  });
  assert.equal(status, 200, JSON.stringify(json));
  assert.equal(json.id, "camera-7-0001");
  const stored = box.results.find(({ body: { id } }) => id === "camera-7-0001");
  assert.equal(stored?.body.top?.label, outputsOf(json).top_label.data[0]);
  assert.equal(
    (await post("defects", "image/png", body, { "muster-priority": "soon" })).json.code,
    "inference.invalid",
  );
});

test("bombs, damage and what is no picture get a coded answer and leave the runner alone", async () => {
  const { pid } = box.inference.status();
  const whole = await png(
    32,
    32,
    1,
    Uint8Array.from({ length: 1024 }, (_, at) => (at * 7919) % 251),
  );
  const cases: [string, Uint8Array, number, string][] = [
    ["image/png", bomb(60_000, 60_000), 413, "media.too-large"],
    ["image/png", bomb(2_000, 2_000), 413, "media.too-large"],
    ["image/png", whole.subarray(0, whole.length / 2), 400, "media.invalid"],
    ["image/jpeg", Buffer.from([0xff, 0xd8, 0xff, 0xe0]), 400, "media.invalid"],
    ["image/png", new Uint8Array(0), 400, "media.invalid"],
    ["image/webp", whole, 415, "media.unsupported"],
    ["video/mp4", whole, 415, "media.unsupported"],
    ["application/x-muster-signal", whole, 415, "media.unsupported"],
  ];
  for (const [type, body, status, code] of cases) {
    const reply = await post("defects", type, body);
    assert.deepEqual([reply.status, reply.json.code], [status, code], type);
  }
  assert.equal((await post("defects", "image/png", whole)).status, 200);
  assert.equal(box.inference.status().pid, pid);
  assert.equal(mapsLibrary("libvips"), true);
});

test("a signal gives the labels that its windows give, and no decoder of pictures is loaded for it", async () => {
  await box.serve([await modelOf(vibration)], 2);
  const random = seededRandom(78);
  for (let count = 0; count < 10; count++) {
    const windows = [vibration.draw(random).data, vibration.draw(random).data];
    const { json, status } = await post("vibration", "application/x-muster-signal", signalOf(...windows));
    assert.equal(status, 200, JSON.stringify(json));
    const { class_label } = outputsOf(json);
    assert.deepEqual(class_label.shape, [2]);
    for (const [row, data] of windows.entries()) {
      const alone = outputsOf((await tensors(vibration, data, { muster_pipeline: true })).json);
      assert.equal(class_label.data[row], alone.class_label.data[0]);
    }
  }
  const odd = await post("vibration", "application/x-muster-signal", new Uint8Array(3));
  assert.deepEqual([odd.status, odd.json.code], [400, "media.invalid"]);
  assert.equal(mapsLibrary("libvips"), false);
});

test("a model without a pipeline takes tensors alone", async () => {
  const { serving: _, ...plain } = await modelOf(vibration);
  await box.serve([plain], 3);
  const reply = await post("vibration", "application/x-muster-signal", new Uint8Array(1024));
  assert.deepEqual([reply.status, reply.json.code], [415, "media.unsupported"]);
  const asked = await tensors(vibration, new Float32Array(512), { muster_pipeline: true });
  assert.deepEqual([asked.status, asked.json.code], [501, "inference.unsupported"]);
});

test("a release whose pipeline does not fit its model never serves", async () => {
  const served = box.inference.status().release;
  const wrong: Pipeline = {
    before: [
      { op: "decode-signal", type: "int16" },
      { op: "window", size: 256 },
    ],
  };
  await assert.rejects(box.serve([await modelOf(vibration, wrong)], 4), (error: Error & { code: string }) => {
    assert.equal(error.code, "pipeline.unfit");
    assert.match(error.message, /before\[1\] 'window'.*256.*512/);
    return true;
  });
  assert.deepEqual(box.inference.status().release, served);
});
