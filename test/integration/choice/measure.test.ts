import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DEFAULT_MEASURE_LIMITS, measureInChild } from "@muster/agent/choice/measure";
import { measureOnce } from "@muster/agent/choice/measure-once";
import type { Measurement } from "@muster/agent/choice/measurement";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import { openDatabase } from "@muster/agent/storage/database";
import { BenchBox, GOLDEN } from "../runner/bench-box.ts";
import { classifier, slow, trap } from "../runner/models.ts";

let box: BenchBox;
before(async () => {
  box = await BenchBox.create();
  // What measuring leaves behind can be told from what others have.
  process.env.TMPDIR = box.directory;
});
after(() => {
  delete process.env.TMPDIR;
  return box.close();
});

const never = new AbortController().signal;
const measure = (model: ModelDeployment, over = {}): Promise<Measurement> =>
  measureInChild(model, { ...DEFAULT_MEASURE_LIMITS, benchMs: 50, ...over }, never);

const failureOf = (measurement: Measurement) =>
  "failure" in measurement ? [measurement.failure.code, measurement.step] : assert.fail("it was measured");

test("measures load, latency, processor time, agreement, placement and memory", async () => {
  const profiles = () =>
    readdirSync(box.directory).filter((name) => /^muster-(profile|measure)-/.test(name)).length;
  const measurement = await measure(await box.model("classifier", classifier(), GOLDEN.classifier));
  assert.ok("measured" in measurement, JSON.stringify(measurement));
  const { loadMs, p50Ms, p95Ms, cpuMs, agreement, placement, memoryMiB } = measurement.measured;
  assert.ok(loadMs >= 0 && p50Ms > 0 && p95Ms >= p50Ms && cpuMs > 0);
  assert.ok(memoryMiB > 0 && memoryMiB < 500);
  assert.deepEqual([agreement, placement], [1, 1]);
  assert.equal(profiles(), 0);
});

test("a slower model measures slower", async () => {
  const quick = await measure(await box.model("quick", classifier(), GOLDEN.classifier));
  const laborious = await measure(await box.model("slow", slow(4), GOLDEN.slow));
  assert.ok("measured" in quick && "measured" in laborious);
  assert.ok(laborious.measured.p50Ms > quick.measured.p50Ms);
  assert.ok(laborious.measured.cpuMs > quick.measured.cpuMs);
});

const deadly = [
  {
    inputs: [
      { name: "a", datatype: "INT32", shape: [1], data: [-(2 ** 31)] },
      { name: "b", datatype: "INT32", shape: [1], data: [-1] },
    ],
    outputs: [{ name: "quotient", datatype: "INT32", shape: [1], data: [0] }],
  },
];
const wrong = [
  { ...GOLDEN.classifier[0]!, outputs: [{ ...GOLDEN.classifier[0]!.outputs[0]!, data: [1, 0, 0, 0] }] },
];

test("what goes wrong is a measurement: crash, hang, wrong outputs, a file that is no model, a damaged one", async () => {
  assert.deepEqual(failureOf(await measure(await box.model("trap", trap(), deadly))), [
    "runner.crashed",
    "golden",
  ]);
  const endless = await box.model("endless", slow(4000), GOLDEN.slow);
  assert.equal(failureOf(await measure(endless, { measureSeconds: 2 }))[0], "runner.hung");
  assert.deepEqual(failureOf(await measure(await box.model("wrong", classifier(), wrong))), [
    "model.golden-mismatch",
    "golden",
  ]);
  assert.deepEqual(failureOf(await measure(await box.model("text", Buffer.from("no model"), GOLDEN.slow))), [
    "model.load-failed",
    "load",
  ]);
  const damaged = await box.model("damaged", classifier(), GOLDEN.classifier);
  await writeFile(damaged.modelPath, "something else");
  assert.deepEqual(failureOf(await measure(damaged)), ["artifact.corrupted", "load"]);
  const elsewhere = await box.model("elsewhere", classifier(), GOLDEN.classifier, { provider: "cuda" });
  assert.deepEqual(failureOf(await measure(elsewhere)), ["model.load-failed", "load"]);
});

test("an abort ends the child", async () => {
  const stop = new AbortController();
  const model = await box.model("endless", slow(4000), GOLDEN.slow);
  const measuring = measureInChild(model, DEFAULT_MEASURE_LIMITS, stop.signal);
  setTimeout(() => stop.abort(), 300);
  await assert.rejects(measuring, { code: "request.conflict" });
});

test("is measured once, over restarts too, and again when the model or its golden set is another", async () => {
  const file = join(box.directory, "measurements.db");
  const run = async (model: ModelDeployment) => {
    const database = openDatabase(file);
    const measurement = await measureOnce(database, Date.now, { benchMs: 20 })(model, never);
    database.close();
    return measurement;
  };
  const model = await box.model("once", classifier(), GOLDEN.classifier);
  const first = await run(model);
  assert.deepEqual(await run(model), first);
  assert.deepEqual(await run({ ...model, name: "other", version: "2.0.0" }), first);
  const other = await box.model("once", classifier(), GOLDEN.classifier.slice(0, 1));
  assert.notDeepEqual(await run(other), first);
  await rm(model.goldenPath);
  assert.deepEqual(failureOf(await run(model)), ["artifact.corrupted", "start"]);
});

test("a child that could not even be started says nothing about the model", async () => {
  const database = openDatabase(join(box.directory, "unstarted.db"));
  const { execPath } = process;
  try {
    const measureHere = measureOnce(database, Date.now, { benchMs: 50 });
    const model = await box.model("classifier", classifier(), GOLDEN.classifier);
    process.execPath = join(box.directory, "nowhere");
    assert.deepEqual(failureOf(await measureHere(model, never)), ["runner.crashed", "start"]);
    process.execPath = execPath;
    assert.ok("measured" in (await measureHere(model, never)));
  } finally {
    process.execPath = execPath;
    database.close();
  }
});
