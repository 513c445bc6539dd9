import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { DEFAULT_MEASURE_LIMITS, measureInChild } from "@muster/agent/choice/measure";
import { detectRuntime } from "@muster/agent/inference/detect-runtime";
import { encodeModel } from "../../models/onnx/graph.ts";
import { SOFTWARE_VULKAN } from "../../support/tools.ts";
import { BenchBox, GOLDEN } from "../runner/bench-box.ts";
import { classifier } from "../runner/models.ts";

/** The provider of the runtime's own package; it is not built for Linux on arm64. */
const skip =
  process.platform === "linux" && process.arch === "x64" && existsSync(SOFTWARE_VULKAN)
    ? false
    : `needs Linux on x64 and ${SOFTWARE_VULKAN} (Debian: chromium-common)`;

let box: BenchBox;
const before_ = { icd: process.env.VK_ICD_FILENAMES, libraries: process.env.LD_LIBRARY_PATH };
before(async () => {
  box = await BenchBox.create();
  process.env.VK_ICD_FILENAMES = SOFTWARE_VULKAN;
  process.env.LD_LIBRARY_PATH = dirname(SOFTWARE_VULKAN);
});
after(async () => {
  for (const [name, value] of [
    ["VK_ICD_FILENAMES", before_.icd],
    ["LD_LIBRARY_PATH", before_.libraries],
  ] as const)
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  await box.close();
});

/** `y = Softmax(x)` on the provider, then a search in a sorted list, which WebGPU has no operator for. */
const partly = (): Uint8Array =>
  encodeModel({
    name: "partly",
    inputs: [{ name: "x", type: "float32", dims: [1, 4] }],
    outputs: [{ name: "y", type: "float32", dims: [1, 4] }],
    constants: [],
    nodes: [
      { op: "Softmax", inputs: ["x"], outputs: ["scores"], attributes: { axis: { int: -1 } } },
      { op: "Hardmax", inputs: ["scores"], outputs: ["y"], attributes: { axis: { int: -1 } } },
    ],
  });
const partlyGolden = [
  {
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [0, 3, 0, 0] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [1, 4], data: [0, 1, 0, 0] }],
  },
];

const limits = { ...DEFAULT_MEASURE_LIMITS, benchMs: 50 };
const signal = new AbortController().signal;

test("WebGPU is found, comes before the CPU, and serves a model with its golden outputs", {
  skip,
}, async () => {
  const { providers } = await detectRuntime({});
  assert.ok(providers.includes("webgpu") && providers.indexOf("webgpu") < providers.indexOf("cpu"));
  await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier, { provider: "webgpu" })]);
  const response = await fetch(`${box.url}/v2/models/classifier/infer`, {
    method: "POST",
    body: JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: [10, 0, 0, 0] }],
    }),
  });
  const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
  assert.ok(Math.abs((outputs[0]?.data[0] ?? 0) - 0.99986) < 1e-3);
  assert.equal(box.inference.status().components[0]?.provider, "webgpu");
  await box.inference.idle();
});

test("every node runs on it, and it is measured like any other", { skip }, async () => {
  const model = await box.model("classifier", classifier(), GOLDEN.classifier, { provider: "webgpu" });
  const measurement = await measureInChild(model, limits, signal);
  assert.ok("measured" in measurement, JSON.stringify(measurement));
  assert.deepEqual([measurement.measured.agreement, measurement.measured.placement], [1, 1]);
});

test("a model that it can run in part is refused, unless the variant allows that part", {
  skip,
}, async () => {
  const whole = await box.model("partly", partly(), partlyGolden, { provider: "webgpu" });
  const refused = await measureInChild(whole, limits, signal);
  assert.ok("failure" in refused && refused.failure.code === "model.load-failed", JSON.stringify(refused));
  const half = await measureInChild({ ...whole, minPlacement: 0.5 }, limits, signal);
  assert.ok("measured" in half, JSON.stringify(half));
  const { placement } = half.measured;
  assert.ok(placement !== null && placement >= 0.5 && placement < 1, String(placement));
  await assert.rejects(
    box.inference.prepare(box.deployment([{ ...whole, minPlacement: 0.9 }])),
    (error: { code: string; message: string }) => {
      assert.equal(error.code, "model.placement");
      assert.match(error.message, /50 % of the nodes run on webgpu; 90 % are needed/);
      return true;
    },
  );
});
