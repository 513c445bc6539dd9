import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Spool } from "@muster/agent/examples/spool";
import type { RunnerReport } from "@muster/agent/runner/reports";
import { decodeExample } from "@muster/shared/protocol/example";
import type { CaptureRule } from "@muster/shared/protocol/serving/capture";
import { BenchBox, GOLDEN, until } from "./bench-box.ts";
import { classify, infer } from "./client.ts";
import { classifier } from "./models.ts";

const RULE: CaptureRule = { belowConfidence: 0.5, keep: "inputs", maxPerDay: 80 };
/** Inputs whose highest scores are about 0.27, 0.25 and 0.9996. */
const UNSURE = [0.1, 0, 0, 0];
const LOST = [0, 0, 0, 0];
const SURE = [9, 0, 0, 0];

let home: string;
let directory: string;
let box: BenchBox | undefined;
const reports: RunnerReport[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "muster-capture-"));
  directory = join(home, "examples");
  reports.length = 0;
});
afterEach(async () => {
  await box?.close();
  await rm(home, { recursive: true, force: true });
});

async function serve(rule: CaptureRule, maxBytes: number | null): Promise<BenchBox> {
  const examples = maxBytes === null ? null : { directory, maxBytes };
  box = await BenchBox.create({
    onReport: (report) => void reports.push(report),
    settings: { examples },
  });
  const model = await box.model("classifier", classifier(), GOLDEN.classifier);
  await box.serve([{ ...model, labels: ["a", "b", "c", "d"], serving: { capture: rule } }]);
  return box;
}

const spooled = () => new Spool(directory, 1e9).list();

async function ask(row: number[]): Promise<void> {
  assert.equal((await classify({ url: box!.url }, row, { id: "request-7" })).status, 200);
}

async function read(file: string) {
  const { header, inputs } = decodeExample(await readFile(join(directory, file)));
  const values = inputs.map((bytes) => [...new Float32Array(new Uint8Array(bytes).buffer)]);
  return { header, values };
}

test("inputs that the model was unsure of are kept with what it said, row by row, the hardest first", async () => {
  await serve(RULE, 1e6);
  await ask(SURE);
  await ask(UNSURE);
  const reply = await infer({ url: box!.url }, "classifier", {
    inputs: [{ name: "x", datatype: "FP32", shape: [3, 4], data: [...SURE, ...LOST, ...SURE] }],
  });
  assert.equal(reply.status, 200);
  await until(async () => (await spooled()).length === 2, "both are on the disk");
  const [lost, unsure] = await Promise.all((await spooled()).map(({ file }) => read(file)));
  assert.deepEqual(lost!.values, [LOST]);
  assert.deepEqual(lost!.header.inputs[0]?.shape, [1, 4]);
  assert.equal(lost!.header.confidence, 0.25);
  assert.deepEqual(unsure!.values, [[...new Float32Array(UNSURE)]]);
  const { header } = unsure!;
  assert.equal(header.id, "request-7");
  assert.deepEqual([header.model, header.class, header.label], ["classifier", 0, "a"]);
  assert.equal(header.release, box!.inference.status().release?.digest);
  assert.deepEqual(header.outputs[0]?.shape, [1, 4]);
  assert.ok(Math.abs(header.outputs[0]!.data.reduce<number>((sum, each) => sum + (each ?? 0), 0) - 1) < 1e-6);
});

test("a summary keeps no value of the input but its mean and deviation", async () => {
  await serve({ ...RULE, keep: "summary" }, 1e6);
  await ask(UNSURE);
  await until(async () => (await spooled()).length === 1, "it is on the disk");
  const { header, values } = await read((await spooled())[0]!.file);
  assert.deepEqual(values, [[]]);
  assert.equal(header.keep, "summary");
  assert.equal(header.inputs[0]?.bytes, 0);
  assert.ok(Math.abs(header.inputs[0]!.mean! - 0.025) < 1e-6);
});

test("a box that does not allow it keeps nothing, whatever the release asks for", async () => {
  await serve(RULE, null);
  await ask(UNSURE);
  await box!.inference.idle();
  assert.deepEqual(await spooled(), []);
});

test("the quota holds: the least hard goes, and an hour takes an eighth of the day", async () => {
  await serve({ ...RULE, maxPerDay: 40 }, 3000);
  for (let step = 0; step < 12; step += 1) await ask([0.6 - step * 0.05, 0, 0, 0]);
  await box!.inference.idle();
  const kept = await spooled();
  assert.ok(kept.length >= 1 && kept.length <= 5, `${kept.length}`);
  assert.ok(kept.reduce((sum, { size }) => sum + size, 0) <= 3000);
  const confidences = kept.map(({ confidence }) => confidence);
  assert.deepEqual(
    confidences,
    confidences.toSorted((a, b) => a - b),
  );
});

test("a disk that refuses costs no inference and no result, and is told once", async () => {
  // A file stands where the directory should be.
  await writeFile(directory, "in the way");
  await serve(RULE, 1e6);
  for (let step = 0; step < 5; step += 1) await ask(UNSURE);
  await until(() => box!.results.length === 5, "every result is stored");
  const told = () =>
    reports.filter((report) => report.kind === "notice" && report.notice.code === "example.not-kept");
  await until(() => told().length === 1, "it is told");
  await box!.inference.idle();
  assert.equal(told().length, 1);
});
