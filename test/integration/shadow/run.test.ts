import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import type { ShadowOrder } from "@muster/agent/inference/shadow";
import { encodeModel } from "../../models/onnx/graph.ts";
import { BenchBox, GOLDEN, until } from "../runner/bench-box.ts";
import { classify, infer } from "../runner/client.ts";
import { classifier, slow, trap } from "../runner/models.ts";

let box: BenchBox;

beforeEach(async () => {
  box = await BenchBox.create();
});

afterEach(() => box.close());

const order = (over: Partial<ShadowOrder["rule"]> = {}, mostBytes = 2 ** 20): ShadowOrder => ({
  rule: { samplePercent: 100, cpuPercent: 100, ...over },
  mostBytes,
  directory: box.directory,
});

/** Inference of a prepared candidate beside what is served, and a feeder that ends with it. */
async function shadow(candidate: ModelDeployment[], sequence: number, how: ShadowOrder) {
  const prepared = await box.inference.prepare(box.deployment(candidate, sequence));
  const run = await box.inference.shadow(prepared, how);
  const end = async () => {
    await run.stop();
    await box.inference.discard(prepared);
  };
  return { run, end };
}

const own = () => ({ url: box.url });
const [even] = GOLDEN.classifier;
const turned = () => box.model("classifier", classifier(-1), [even!]);
const steady = () => box.model("classifier", classifier(), GOLDEN.classifier);

test("a candidate that disagrees is seen through, and live answers are what they were", async () => {
  await box.serve([await steady()], 1);
  const { run, end } = await shadow([await turned()], 2, order());
  let asked = 0;
  await until(async () => {
    const { status, json } = await classify(own(), [asked % 2, 0, 3, 0]);
    assert.equal(status, 200);
    assert.equal(json.outputs[0].data.indexOf(Math.max(...json.outputs[0].data)), 2);
    assert.equal(json.model_version, "1.0.0");
    asked += 1;
    return (run.tallies()[0]?.compared ?? 0) >= 100;
  }, "100 inferences are compared");
  const [tally] = run.tallies();
  assert.ok(tally);
  assert.deepEqual([tally.model, tally.agreed, tally.failed], ["classifier", 0, 0]);
  assert.ok(tally.compared <= asked);
  const total = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0);
  for (const histogram of [tally.latency, tally.confidence])
    for (const side of ["live", "candidate"] as const)
      assert.equal(total(histogram[side].counts), tally.compared);
  assert.equal(run.failure(), undefined);
  const entries = box.inference.takeCounters();
  const told = entries.find(({ shadow }) => shadow);
  assert.deepEqual([told?.inferences, told?.servingMs], [0, 0]);
  assert.equal(told?.shadow?.compared, tally.compared);
  assert.notEqual(told?.release, box.inference.status().release?.digest);
  await end();
  const after = run.tallies()[0]?.compared;
  await classify(own(), [1, 0, 0, 0]);
  await sleep(600);
  assert.equal(run.tallies()[0]?.compared, after, "nothing is sampled any more");
});

test("a candidate that is the same agrees on everything, batches row by row", async () => {
  await box.serve([await steady()], 3);
  const { run, end } = await shadow([await steady()], 4, order());
  await until(async () => {
    const body = {
      inputs: [{ name: "x", shape: [3, 4], datatype: "FP32", data: [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0] }],
    };
    assert.equal((await infer(own(), "classifier", body)).status, 200);
    return (run.tallies()[0]?.compared ?? 0) >= 30;
  }, "30 rows are compared");
  const [tally] = run.tallies();
  assert.equal(tally?.compared, tally?.agreed);
  assert.equal((tally?.compared ?? 0) % 3, 0);
  await end();
});

test("the candidate gives way to everything else and is reached by nobody else", async () => {
  await box.serve([await steady()], 5);
  const before = new Set(runners());
  const { end } = await shadow([await steady()], 6, order());
  const [pid, ...others] = runners().filter((each) => !before.has(each));
  assert.ok(pid !== undefined && others.length === 0);
  const nice = niceOf(pid);
  assert.deepEqual([...new Set(nice)], [19], `threads have ${nice}`);
  const answer = await classify(own(), [1, 0, 0, 0]);
  assert.equal(answer.json.model_version, "1.0.0");
  await end();
  assert.ok(!runners().includes(pid));
});

test("a candidate that crashes takes no live answer with it", async () => {
  const tensor = (name: string) => ({ name, type: "int32" as const, dims: [1] });
  const sound = encodeModel({
    name: "fixture",
    constants: [],
    inputs: [tensor("a"), tensor("b")],
    outputs: [tensor("quotient")],
    nodes: [{ op: "Sub", inputs: ["a", "b"], outputs: ["quotient"] }],
  });
  const golden = (got: number) => [
    {
      inputs: [
        { name: "a", datatype: "INT32", shape: [1], data: [8] },
        { name: "b", datatype: "INT32", shape: [1], data: [4] },
      ],
      outputs: [{ name: "quotient", datatype: "INT32", shape: [1], data: [got] }],
    },
  ];
  await box.serve([await box.model("divider", sound, golden(4))], 7);
  const { run, end } = await shadow([await box.model("divider", trap(), golden(2))], 8, order());
  const divide = (a: number, b: number) =>
    infer(own(), "divider", {
      inputs: [
        { name: "a", shape: [1], datatype: "INT32", data: [a] },
        { name: "b", shape: [1], datatype: "INT32", data: [b] },
      ],
    });
  await until(async () => {
    assert.equal((await divide(8, 4)).status, 200);
    return (run.tallies()[0]?.compared ?? 0) > 0;
  }, "something is compared");
  assert.equal(run.tallies()[0]?.agreed, 0, "4 is not 2: outputs without scores are compared by value");
  await until(async () => {
    const { status, json } = await divide(-(2 ** 31), -1);
    assert.deepEqual([status, json.outputs[0].data], [200, [-(2 ** 31) + 1]]);
    return run.failure() !== undefined;
  }, "the candidate crashes");
  assert.equal(run.failure()?.code, "runner.crashed");
  assert.equal((await divide(8, 4)).json.outputs[0].data[0], 4);
  assert.equal(box.inference.status().restarts, 0);
  await end();
});

test("a slow candidate keeps to its share of the processor and drops the rest", async () => {
  await box.serve([await box.model("slow", slow(1), GOLDEN.slow)], 9);
  const candidate = await box.model("slow", slow(6), GOLDEN.slow);
  const { run, end } = await shadow([candidate], 10, order({ cpuPercent: 10 }));
  const start = performance.now();
  await until(async () => {
    const body = { inputs: [{ name: "x", shape: [1, 1], datatype: "FP32", data: [1] }] };
    assert.equal((await infer(own(), "slow", body)).status, 200);
    const [tally] = run.tallies();
    return (tally?.dropped.budget ?? 0) > 20 && (tally?.compared ?? 0) > 2;
  }, "the budget is used up");
  await sleep(600);
  const [tally] = run.tallies();
  const elapsedMs = performance.now() - start;
  const dearestMs = 500;
  assert.ok((tally?.cpuUs ?? 0) / 1000 <= 0.1 * (elapsedMs + 1000) + 2 * dearestMs, `${tally?.cpuUs} us`);
  assert.equal(tally?.agreed, tally?.compared);
  await end();
});

test("an input that is too large is not copied, and models in one release only are not compared", async () => {
  await box.serve([await steady()], 11);
  const small = await shadow([await steady()], 12, order({}, 15));
  await until(async () => {
    await classify(own(), [1, 0, 0, 0]);
    return (small.run.tallies()[0]?.dropped.size ?? 0) > 3;
  }, "inputs are left out");
  assert.equal(small.run.tallies()[0]?.compared, 0);
  await small.end();
  const other = await shadow([{ ...(await steady()), name: "other" }], 13, order());
  assert.deepEqual(other.run.tallies(), []);
  await other.end();
});

test("a live runner that crashes is followed once it is back", async () => {
  await box.serve([await steady()], 14);
  const { run, end } = await shadow([await steady()], 15, order());
  const { pid } = box.inference.status();
  process.kill(pid!, "SIGKILL");
  await until(async () => {
    if (box.inference.status().state === "ready") await classify(own(), [1, 0, 0, 0]).catch(() => undefined);
    return (run.tallies()[0]?.compared ?? 0) > 10;
  }, "the new runner is sampled");
  assert.notEqual(box.inference.status().pid, pid);
  await end();
});

/** Runner processes of this test. */
function runners(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, "utf8")
    .split(" ")
    .filter(Boolean)
    .map(Number);
}

/** Nice values of all threads of a process. */
function niceOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  });
}
