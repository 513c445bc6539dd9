import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { BenchBox } from "../runner/bench-box.ts";
import { call, infer, type Target } from "../runner/client.ts";
import { serveModels, targetsOf } from "./served.ts";

let box: BenchBox;
let target: Target;

before(async () => {
  box = await serveModels({ settings: { queueLimit: 4 } });
  target = targetsOf(box).TCP;
});

after(() => box.close());

const rows = (count: number) => ({
  inputs: [{ name: "x", datatype: "FP32", shape: [count, 4], data: new Array(count * 4).fill(0.5) }],
});
const statsOf = async (path: string) => (await call(target, "GET", path)).json.model_stats;

test("nothing was asked of a model yet", async () => {
  const [stats] = await statsOf("/v2/models/arithmetic/stats");
  assert.equal(stats.last_inference, 0);
  assert.equal(stats.inference_count, 0);
  assert.deepEqual(stats.batch_stats, []);
});

test("requests, rows, executions and refusals are counted by version", async () => {
  const began = Date.now();
  for (const count of [1, 3, 3]) await infer(target, "classifier", rows(count));
  const refused = await infer(target, "classifier", { ...rows(1), parameters: { timeout: 1 } });
  assert.equal(refused.status, 503);
  const [newer, older, ...more] = await statsOf("/v2/models/classifier/stats");
  assert.deepEqual(more, []);
  assert.deepEqual([newer.version, older.version], ["2.0.0", "1.5.0-rc.1"]);
  assert.equal(older.inference_count, 0);
  assert.equal(newer.inference_count, 7);
  assert.equal(newer.execution_count, 3);
  assert.ok(newer.last_inference >= began);
  const { success, fail, queue, compute_input, compute_infer, compute_output } = newer.inference_stats;
  assert.deepEqual(
    [success, queue, compute_input, compute_infer, compute_output].map(({ count }) => count),
    [3, 3, 4, 3, 3],
  );
  assert.equal(fail.count, 1);
  assert.ok(success.ns >= compute_infer.ns && compute_infer.ns > 0);
  const batches = newer.batch_stats.map((entry: Record<string, { count: number }>) => [
    entry.batch_size,
    entry.compute_infer!.count,
  ]);
  assert.deepEqual(batches, [
    [1, 1],
    [3, 2],
  ]);
});

test("requests that run together are one execution", async () => {
  await Promise.all(
    Array.from({ length: 4 }, () =>
      infer(target, "arithmetic", {
        inputs: ["a", "b"].map((name) => ({ name, datatype: "FP32", shape: [1], data: [1] })),
      }),
    ),
  );
  const [stats] = await statsOf("/v2/models/arithmetic/stats");
  assert.equal(stats.inference_count, 4);
  assert.ok(stats.execution_count >= 1 && stats.execution_count <= 4);
  const executed = stats.batch_stats.reduce(
    (sum: number, entry: Record<string, { count: number }>) => sum + entry.compute_infer!.count,
    0,
  );
  assert.equal(executed, stats.execution_count);
});

test("the statistics of all models stand in the release's order", async () => {
  const all = await statsOf("/v2/models/stats");
  assert.deepEqual(
    all.slice(0, 3).map(({ name, version }: { name: string; version: string }) => [name, version]),
    [
      ["classifier", "2.0.0"],
      ["classifier", "1.5.0-rc.1"],
      ["arithmetic", "1.0.0"],
    ],
  );
});
