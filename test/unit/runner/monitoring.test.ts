import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import type { Call, Inferred } from "@muster/agent/runner/infer";
import type { LoadedModel } from "@muster/agent/runner/model";
import { FeatureBins, planFeatures } from "@muster/agent/runner/monitoring/feature-bins";
import { guarded } from "@muster/agent/runner/monitoring/guards";
import { halfToNumber } from "@muster/agent/runner/monitoring/half-float";
import { QualityCounters } from "@muster/agent/runner/monitoring/input-quality";
import { ModelMonitor } from "@muster/agent/runner/monitoring/model-monitor";
import { momentsOf, strideFor } from "@muster/agent/runner/monitoring/moments";
import { isOver } from "@muster/agent/runner/monitoring/window";
import type { TensorValue } from "@muster/agent/runner/tensors/datatypes";
import type { ReferenceSet } from "@muster/shared/protocol/model-evidence";
import type { Guards } from "@muster/shared/protocol/serving/monitoring";
import fc from "fast-check";

const floats = (name: string, shape: number[], data: number[]): TensorValue => ({
  name,
  datatype: "FP32",
  shape,
  data: Float32Array.from(data),
});

const momentsOfAll = (tensor: TensorValue) => {
  const into = { mean: 0, std: 0 };
  momentsOf(tensor, 0, tensor.data.length, 1, into);
  return into;
};

test("moments are those of the definition, far from zero too", () => {
  const value = fc.float({ min: -1000, max: 1000, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0, 1e6),
      (values, offset) => {
        const data = [...Float32Array.from(values, (each) => each + offset)];
        const mean = data.reduce((sum, each) => sum + each, 0) / data.length;
        const std = Math.sqrt(data.reduce((sum, each) => sum + (each - mean) ** 2, 0) / data.length);
        const got = momentsOfAll(floats("x", [data.length], data));
        assert.ok(Math.abs(got.mean - mean) <= 1e-6 * (1 + Math.abs(mean)));
        assert.ok(Math.abs(got.std - std) <= 1e-3 * (1 + std), `${got.std} and ${std}`);
      },
    ),
  );
});

test("moments read every datatype", () => {
  const of = (datatype: TensorValue["datatype"], data: TensorValue["data"]) =>
    momentsOfAll({ name: "x", datatype, shape: [2], data }).mean;
  assert.equal(of("UINT8", Uint8Array.of(1, 3)), 2);
  assert.equal(of("INT64", BigInt64Array.of(-4n, 2n)), -1);
  assert.equal(of("FP16", Uint16Array.of(0x3c00, 0x4000)), 1.5);
  assert.ok(Number.isNaN(of("BYTES", ["a", "b"])));
  assert.deepEqual([0x0001, 0x8000, 0x7c00, 0xfc00].map(halfToNumber), [2 ** -24, -0, Infinity, -Infinity]);
  assert.ok(Number.isNaN(halfToNumber(0x7e00)));
});

test("a stride looks at no more than 4,096 elements and shares no factor with the length", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000_000 }), (length) => {
      const stride = strideFor(length);
      const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
      assert.ok(Math.ceil(length / stride) <= 4096);
      assert.ok(stride === 1 || gcd(stride, length) === 1);
    }),
  );
});

test("a bin holds its lower edge and not its upper one", () => {
  const bins = new FeatureBins("f", { edges: [0, 1, 2], counts: [0, 0, 0, 0] });
  for (const value of [-1, 0, 0.5, 1, 1.9, 2, 99]) bins.add(value);
  assert.deepEqual(bins.take().counts, [1, 2, 2, 2]);
  assert.deepEqual(bins.take(), { counts: [0, 0, 0, 0], effective: 0 });
});

const histogram = (edges: number[]) => ({ edges, counts: new Array<number>(edges.length + 1).fill(1) });
const reference: ReferenceSet = {
  schema: "muster.reference/1",
  samples: 10,
  accuracy: 1,
  features: {
    "input:x:mean": histogram([0]),
    "input:x:std": histogram([0.5]),
    "output:y:confidence": histogram([0.9]),
    "output:y:entropy": histogram([0.3]),
    "output:y:class": histogram([0.5]),
    "input:gone:mean": histogram([0]),
    "output:y:margin": histogram([0]),
  },
};
const model = {
  inputs: [{ name: "x", datatype: "FP32", shape: ["batch", 2] }],
  outputs: [{ name: "y", datatype: "FP32", shape: ["batch", 2] }],
} as unknown as LoadedModel;
const callOf = (inputs: TensorValue[], guards?: Guards) =>
  ({ model: { ...model, deployment: { serving: { guards } } }, request: { inputs } }) as unknown as Call;
const verdict = (index: number, score: number) => ({ ok: true, top: { index, score } });
const inferredOf = (values: TensorValue[], verdicts: Inferred["verdicts"]) =>
  ({ values, verdicts, by: {} as ModelDeployment }) as unknown as Inferred;
const monitorOf = () => new ModelMonitor(planFeatures(reference, ["x"], ["y"]), "y");

test("what the model has no tensor for is ignored by name", () => {
  assert.deepEqual(planFeatures(reference, ["x"], ["y"]).ignored, ["input:gone:mean", "output:y:margin"]);
});

test("a reference of many wide features is cut to what a window may carry", () => {
  const names = Array.from({ length: 64 }, (_, index) => `t${index}${"x".repeat(200)}`);
  const features = Object.fromEntries(
    names.map((name) => [`input:${name}:mean`, histogram(Array.from({ length: 64 }, (_, edge) => edge))]),
  );
  const plan = planFeatures({ ...reference, features }, names, []);
  assert.equal(plan.bins.length + plan.ignored.length, 64);
  const text = JSON.stringify(
    Object.fromEntries(plan.bins.map((bins) => [bins.feature, bins.take().counts.map(() => 999_999)])),
  );
  assert.ok(text.length < 24 * 1024, `${text.length} bytes`);
});

test("every row of a batch is one sample", () => {
  const monitor = monitorOf();
  const inputs = [floats("x", [3, 2], [1, 1, -1, -3, 5, 7])];
  const outputs = [floats("y", [3, 2], [0.95, 0.05, 0.5, 0.5, 0.2, 0.8])];
  monitor.observe(callOf(inputs), inferredOf(outputs, [verdict(0, 0.95), verdict(0, 0.5), verdict(1, 0.8)]));
  const { samples, features, inputs: quality } = monitor.take();
  assert.equal(samples, 3);
  assert.deepEqual(features, {
    "input:x:mean": [1, 2],
    "input:x:std": [1, 2],
    "output:y:confidence": [2, 1],
    "output:y:entropy": [1, 2],
    "output:y:class": [2, 1],
  });
  assert.deepEqual(quality, { x: { rows: 3, nan: 0, infinite: 0, outOfRange: 0, constant: 1 } });
});

test("an output that nobody asked for is known by its verdicts, but for its entropy", () => {
  const monitor = monitorOf();
  monitor.observe(callOf([floats("x", [1, 2], [1, 2])]), inferredOf([], [verdict(1, 0.97)]));
  const { features } = monitor.take();
  assert.deepEqual(features["output:y:confidence"], [0, 1]);
  assert.deepEqual(features["output:y:class"], [0, 1]);
  assert.deepEqual(features["output:y:entropy"], [0, 0]);
});

test("rows that are not finite are counted and no feature", () => {
  const monitor = monitorOf();
  const inputs = [floats("x", [3, 2], [Number.NaN, 1, Infinity, 1, 2, 3])];
  monitor.observe(callOf(inputs), inferredOf([], [verdict(0, 1), verdict(0, 1), verdict(0, 1)]));
  const { features, inputs: quality } = monitor.take();
  assert.deepEqual(features["input:x:mean"], [0, 1]);
  assert.deepEqual(quality.x, { rows: 3, nan: 1, infinite: 1, outOfRange: 0, constant: 0 });
});

test("guards refuse or count, and name the element", async () => {
  const guards = (onViolation: Guards["onViolation"], more = {}): Guards => ({
    inputs: { x: { min: 0, max: 1, ...more } },
    onViolation,
  });
  const cases: [number[], Guards, "passes" | RegExp][] = [
    [[0, 1], guards("reject"), "passes"],
    [[0, 1.5], guards("reject"), /Element 1 of 'x' is 1.5; the release allows 0 to 1/],
    [[Number.NaN, 1], guards("reject"), /Element 0 of 'x' is NaN; the release allows finite numbers only/],
    [[Number.NaN, 1], guards("reject", { allowNonFinite: true }), "passes"],
    [[0, 1.5], guards("count"), "passes"],
    [[9, 9], { inputs: { other: { max: 0 } }, onViolation: "reject" }, "passes"],
  ];
  for (const [data, rule, expected] of cases) {
    const counters = new QualityCounters();
    const answer = inferredOf([], []);
    const infer = guarded(() => counters)(async () => answer);
    const asked = infer(callOf([floats("x", [1, 2], data)], rule));
    if (expected === "passes") assert.equal(await asked, answer);
    else await assert.rejects(asked, { code: "inference.invalid", message: expected });
    assert.equal(counters.rejected, expected === "passes" ? 0 : 1);
    const counted = counters.take().inputs.x;
    const violated = data[1] === 1.5;
    assert.equal(counted?.outOfRange ?? 0, violated ? 1 : 0);
  }
});

test("a window tells of as many inputs as it has room for", () => {
  const counters = new QualityCounters();
  for (let index = 0; index < 40; index += 1) counters.of(`x${index}`).nan += 1;
  counters.of("n".repeat(300)).nan += 1;
  assert.equal(Object.keys(counters.take().inputs).length, 16);
  assert.deepEqual(counters.take().inputs, {});
});

test("a window ends with its time and its samples, or at last without them", () => {
  const rule = {
    windowSeconds: 60,
    minSamples: 100,
    alpha: 0.01,
    minPsi: 0.1,
    alarmWindows: 1,
    ofWindows: 1,
  };
  const rows: [ageMs: number, samples: number, rejected: number, over: boolean][] = [
    [59_999, 500, 0, false],
    [60_000, 100, 0, true],
    [60_000, 99, 0, false],
    [720_000, 1, 0, true],
    [720_000, 0, 0, false],
    [720_000, 0, 3, true],
  ];
  for (const [age, samples, rejected, over] of rows)
    assert.equal(isOver(rule, age, { samples, rejected }), over, `${age} ms, ${samples}, ${rejected}`);
});
