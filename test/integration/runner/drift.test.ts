import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DriftWatch } from "@muster/agent/drift/drift-watch";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import { type NewRecord, Outbox } from "@muster/agent/outbox/outbox";
import type { DriftReport, RunnerReport } from "@muster/agent/runner/reports";
import { openDatabase } from "@muster/agent/storage/database";
import type { DriftBody } from "@muster/shared/protocol/drift-window";
import { ReferenceSet } from "@muster/shared/protocol/model-evidence";
import type { Serving } from "@muster/shared/protocol/serving/serving";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import { buildDemoModels } from "../../models/build.ts";
import { seededRandom } from "../../models/training/random.ts";
import { vibration } from "../../models/vibration/family.ts";
import { BenchBox, GOLDEN, until } from "./bench-box.ts";
import { call, classify, inferBinary } from "./client.ts";
import { classifier } from "./models.ts";

const WINDOW = 512;
const ROWS = 16;
const MONITOR = {
  windowSeconds: 1,
  minSamples: 400,
  alpha: 0.01,
  minPsi: 0.05,
  alarmWindows: 2,
  ofWindows: 3,
};

const reports: RunnerReport[] = [];
let box: BenchBox;
let model: ModelDeployment;

/** The int8 variant of the second good release. */
async function demoModel(serving: Serving): Promise<ModelDeployment> {
  const demo = await buildDemoModels();
  const { directory } = demo.families[0]!.releases.find(({ version }) => version === "1.1.0")!;
  const spec = JSON.parse(await readFile(join(directory, "release.json"), "utf8"));
  const component = spec.components.find(({ type }: { type: string }) => type === "model");
  const [variant] = component.variants;
  return {
    name: "vibration",
    version: component.version,
    variant: variant.id,
    digest: sha256(await readFile(join(directory, variant.model))),
    provider: "cpu",
    fallback: false,
    labels: component.labels,
    modelPath: join(directory, variant.model),
    goldenPath: join(directory, variant.golden),
    referencePath: join(directory, variant.reference),
    serving,
  };
}

before(async () => {
  box = await BenchBox.create({ onReport: (report) => void reports.push(report) });
  model = await demoModel({ monitor: MONITOR });
  await box.serve([model]);
});

after(() => box.close());

const random = seededRandom(77);

/** Draws inputs as live traffic brings them, changes them and has them answered. */
async function send(requests: number, change: (value: number) => number): Promise<void> {
  const target = { url: box.url };
  for (let index = 0; index < requests; index += 1) {
    const data = new Float32Array(ROWS * WINDOW);
    for (let row = 0; row < ROWS; row += 1) data.set(vibration.draw(random).data.map(change), row * WINDOW);
    const shape = [ROWS, ...vibration.face.dims];
    const reply = await inferBinary(
      target,
      "vibration",
      {
        inputs: [
          { name: "signal", datatype: "FP32", shape, parameters: { binary_data_size: data.byteLength } },
        ],
        parameters: { binary_data_output: true },
      },
      [new Uint8Array(data.buffer)],
    );
    assert.equal(reply.status, 200, reply.body.toString());
  }
}

/** Sends until the next window is closed and gives it. */
async function window(change: (value: number) => number): Promise<DriftReport> {
  const known = reports.length;
  const found = () => reports.slice(known).find((report): report is DriftReport => report.kind === "drift");
  await send(30, change);
  await until(() => found() !== undefined, "the window is closed");
  return found()!;
}

test("a stream like the calibration set is like the reference, and one of another gain is not", async () => {
  const database = openDatabase(join(box.directory, "agent.db"), { onBroken: assert.fail });
  const outbox = new Outbox(database, { limitBytes: 1e6, newId: () => "outbox-of-test" });
  const failed = (error: Error) => assert.fail(error);
  const watch = new DriftWatch({ database, outbox, now: Date.now, failed });
  const gain = (factor: number) => (value: number) => value * factor;
  const windows: DriftReport[] = [];
  for (const factor of [1, 1, 1, 1.4, 1.4, 1.4]) windows.push(await window(gain(factor)));
  for (const each of windows) watch.take(each);
  const records = outbox.read(0, 100, 1e6).map(({ text }) => JSON.parse(text) as NewRecord);
  const judged = records.flatMap(({ kind, body }) => (kind === "drift" ? [body as DriftBody] : []));
  assert.equal(judged.length, 6);
  for (const { samples, features } of judged) {
    assert.ok(samples >= MONITOR.minSamples);
    assert.equal(Object.keys(features).length, 5);
    for (const counts of Object.values(features))
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        samples,
      );
  }
  assert.deepEqual(
    judged.map(({ againstReference }) => againstReference?.drifted),
    [false, false, false, true, true, true],
    JSON.stringify(judged.map(({ againstReference }) => againstReference)),
  );
  assert.equal(judged.at(-1)?.againstReference?.feature, "input:signal:std");
  const events = records.flatMap(({ kind, body }) => (kind === "event" ? [body] : []));
  assert.deepEqual(
    events.map((event) => (event as { code: string }).code),
    ["model.drift"],
  );
  database.close();
});

test("bins are those of the reference: its own digest and counts come with the window", async () => {
  const { window: told, reference } = await window((value) => value);
  const bytes = await readFile(model.referencePath);
  const set = parseJson(ReferenceSet, bytes, "model.reference-invalid");
  assert.equal(told.reference, sha256(bytes));
  assert.equal(told.variant, model.variant);
  for (const [feature, { counts }] of Object.entries(set.features)) {
    assert.deepEqual(reference[feature], counts);
    assert.equal(told.features[feature]?.length, counts.length);
  }
});

test("a guard refuses what it must not see, and the window counts it", async () => {
  const guarded = await demoModel({
    monitor: MONITOR,
    guards: { inputs: { signal: { min: -50, max: 50 } }, onViolation: "reject" },
  });
  await box.serve([guarded], 2);
  const shape = [1, ...vibration.face.dims];
  const ask = (value: number) =>
    inferBinary(
      { url: box.url },
      "vibration",
      {
        inputs: [{ name: "signal", datatype: "FP32", shape, parameters: { binary_data_size: WINDOW * 4 } }],
      },
      [new Uint8Array(new Float32Array(WINDOW).fill(1).with(9, value).buffer)],
    );
  const known = reports.length;
  assert.equal((await ask(49)).status, 200);
  const refused = [await ask(51), await ask(Number.NaN), await ask(Number.NEGATIVE_INFINITY)];
  for (const { status, json } of refused) {
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), /Element 9 of 'signal'/);
  }
  await box.inference.idle();
  await until(() => reports.length > known, "the runner has told what it held");
  const last = reports.slice(known).find((report): report is DriftReport => report.kind === "drift");
  assert.equal(last?.window.samples, 1);
  assert.equal(last?.window.rejected, 3);
  assert.deepEqual(last?.window.inputs.signal, { rows: 1, nan: 1, infinite: 1, outOfRange: 1, constant: 0 });
});

test("a model without a reference that can be read is served, and that is told", async () => {
  const known = reports.length;
  await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)], 3);
  assert.equal((await classify({ url: box.url }, [1, 0, 0, 0])).status, 200);
  assert.equal((await call({ url: box.url }, "GET", "/v2/health/ready")).status, 200);
  await until(() => reports.length > known, "the notice has come");
  const notice = reports.slice(known).find(({ kind }) => kind === "notice");
  assert.ok(notice?.kind === "notice");
  assert.equal(notice.notice.code, "model.reference-invalid");
  assert.match(notice.notice.message, /^classifier 1.0.0 \(cpu-fp32\) is served and not watched for drift/);
});
