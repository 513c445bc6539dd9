import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ModelDeployment } from "@muster/agent/inference/deployment";
import { classesOf } from "@muster/agent/runner/classes";
import type { Inferred } from "@muster/agent/runner/infer";
import { scheduleOf } from "@muster/agent/runner/infer-parameters";
import { parseInferRequest } from "@muster/agent/runner/infer-request";
import { encodeInferResponse } from "@muster/agent/runner/infer-response";
import type { LoadedModel } from "@muster/agent/runner/model";
import { Statistics } from "@muster/agent/runner/statistics";
import type { TensorSpec } from "@muster/agent/runner/tensors/datatypes";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const isInvalid = (error: unknown) => isMusterError(error, "inference.invalid");

const modelOf = (inputs: TensorSpec[], outputs: TensorSpec[]): LoadedModel =>
  ({
    deployment: { name: "m", version: "1.0.0", labels: ["low", "high"] } as unknown as ModelDeployment,
    inputs,
    outputs,
  }) as unknown as LoadedModel;
const spec = (name: string, datatype: TensorSpec["datatype"], ...shape: (number | string)[]) => ({
  name,
  datatype,
  shape,
});
const MODEL = modelOf([spec("x", "FP32", "n", 2), spec("k", "INT64", "n")], [spec("y", "FP32", "n", 2)]);

describe("the schedule of a request", () => {
  const cases: [parameters: Record<string, unknown>, tier: string, timeoutMs: number][] = [
    [{}, "standard", Number.POSITIVE_INFINITY],
    [{ priority: 0, timeout: 0 }, "standard", Number.POSITIVE_INFINITY],
    [{ priority: 1 }, "critical", Number.POSITIVE_INFINITY],
    [{ priority: 2, timeout: 1500 }, "standard", 1.5],
    [{ priority: 3, timeout: 1 }, "best-effort", 0.001],
  ];
  for (const [parameters, tier, timeoutMs] of cases)
    test(JSON.stringify(parameters), () => assert.deepEqual(scheduleOf(parameters), { tier, timeoutMs }));
  for (const parameters of [
    { priority: 4 },
    { priority: -1 },
    { priority: 1.5 },
    { timeout: "1" },
    { timeout: -1 },
  ])
    test(`${JSON.stringify(parameters)} is refused`, () =>
      assert.throws(() => scheduleOf(parameters), isInvalid));
});

describe("the highest classes", () => {
  const classes = (shape: number[], data: number[], most: number, labels?: string[]) => {
    const { shape: got, data: texts } = classesOf(
      { name: "y", datatype: "FP32", shape, data: Float32Array.from(data) },
      most,
      labels,
    );
    return [got, texts];
  };
  const cases: [what: string, got: unknown, want: unknown][] = [
    ["of a vector", classes([3], [1, 3, 2], 2), [[2], ["3:1", "2:2"]]],
    [
      "of each row, with labels where there are",
      classes([2, 2], [0, 1, 5, 4], 1, ["a"]),
      [
        [2, 1],
        ["1:1", "5:0:a"],
      ],
    ],
    ["of equals the first", classes([3], [1, 1, 1], 2), [[2], ["1:0", "1:1"]]],
    ["NaN is the last", classes([3], [Number.NaN, -1, 0], 3), [[3], ["0:2", "-1:1", "NaN:0"]]],
    ["of an image, by its rows", classes([1, 2, 2], [1, 2, 4, 3], 1), [[1, 1], ["4:2"]]],
    ["of no rows", classes([0, 3], [], 2), [[0, 0], []]],
  ];
  test("are no more than an answer can hold", () => {
    const data = new Array<number>(1001 * 100).fill(0);
    assert.throws(() => classes([1001, 100], data, 100), isInvalid);
    assert.deepEqual(classes([1001, 100], data, 1)[0], [1001, 1]);
  });
  for (const [what, got, want] of cases) test(what, () => assert.deepEqual(got, want));

  test("are in order and as many as asked for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        fc.integer({ min: 1, max: 9 }),
        (data, most) => {
          const values = (classes([data.length], data, most)[1] as string[]).map((text) =>
            Number(text.split(":")[0]),
          );
          assert.deepEqual(values.length, Math.min(most, data.length));
          const sorted = [...Float32Array.from(data)].sort((a, b) => b - a).slice(0, most);
          assert.deepEqual(
            values.map((value) => value + 0),
            sorted.map((value) => value + 0),
          );
        },
      ),
    );
  });
});

describe("a request that is sent again and again", () => {
  const bodyOf = (rows: number, x: Float32Array, k: BigInt64Array, more: object): [Buffer, number] => {
    const inputs = [
      { name: "x", datatype: "FP32", shape: [rows, 2], parameters: { binary_data_size: x.byteLength } },
      { name: "k", datatype: "INT64", shape: [rows], parameters: { binary_data_size: k.byteLength } },
    ];
    const json = Buffer.from(JSON.stringify({ ...more, inputs }));
    return [Buffer.concat([json, Buffer.from(x.buffer), Buffer.from(k.buffer)]), json.length];
  };

  test("is read the same, each time with its own data", () => {
    const more = fc.constantFrom({}, { id: "a" }, { parameters: { priority: 1, binary_data_output: true } });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.array(fc.integer(), { minLength: 9, maxLength: 9 }),
        more,
        (rows, seed, rest) => {
          const x = Float32Array.from(seed).slice(0, rows * 2);
          const k = BigInt64Array.from(seed, BigInt).slice(0, rows);
          for (let time = 0; time < 2; time++) {
            const [body, length] = bodyOf(rows, x, k, rest);
            const parsed = parseInferRequest(MODEL, body, length);
            assert.deepEqual(
              parsed.inputs.map(({ data }) => data),
              [x, k],
            );
            assert.equal(parsed.id, "id" in rest ? rest.id : undefined);
            assert.equal(parsed.tier, "parameters" in rest ? "critical" : "standard");
          }
        },
      ),
    );
  });

  test("is refused with too many bytes or too few as at the first time", () => {
    const [body, length] = bodyOf(1, new Float32Array(2), new BigInt64Array(1), {});
    parseInferRequest(MODEL, body, length);
    assert.throws(() => parseInferRequest(MODEL, body.subarray(0, -1), length), isInvalid);
    assert.throws(() => parseInferRequest(MODEL, Buffer.concat([body, body]), length), isInvalid);
  });
});

test("a response tells what rung answered and why", () => {
  const request = { id: undefined, durable: false, inputs: [], outputs: [{ name: "y", binary: false }] };
  const y = { name: "y", datatype: "FP32" as const, shape: [1, 2], data: Float32Array.of(0.5, 1) };
  const { json } = encodeInferResponse(MODEL, request, [y], { rung: "cache", reason: "deadline" });
  assert.deepEqual(JSON.parse(json), {
    model_name: "m",
    model_version: "1.0.0",
    parameters: { muster_rung: "cache", muster_reason: "deadline" },
    outputs: [{ name: "y", datatype: "FP32", shape: [1, 2], data: [0.5, 1] }],
  });
});

describe("statistics", () => {
  const call = (rows: number) =>
    ({
      model: MODEL,
      request: { inputs: [{ shape: [rows, 2] }] },
      receivedAt: performance.now(),
    }) as never;
  const answer = (batchRows: number, more: Partial<Inferred> = {}) =>
    ({ latencyUs: 1000, queueUs: 10, batchRows, ...more }) as never;

  test("requests of one batch are one execution with the batch's time", () => {
    const statistics = new Statistics();
    for (const rows of [1, 2, 1]) statistics.observe({ call: call(rows), inferred: answer(4), at: 5 });
    const { inference_count, execution_count, batch_stats, last_inference } = statistics.of(MODEL.deployment);
    assert.deepEqual([inference_count, execution_count, last_inference], [4, 1, 5]);
    assert.equal(batch_stats[0]?.batch_size, 4);
    assert.deepEqual(batch_stats[0]?.compute_infer, { count: 1, ns: 1_000_000 });
  });

  test("however many sizes come, few are told apart, and no run is lost", () => {
    const statistics = new Statistics();
    for (let rows = 1; rows <= 3000; rows++)
      statistics.observe({ call: call(rows), inferred: answer(rows), at: 5 });
    const { execution_count, batch_stats } = statistics.of(MODEL.deployment);
    assert.equal(execution_count, 3000);
    assert.ok(batch_stats.length < 100, `${batch_stats.length} sizes`);
    assert.equal(batch_stats.at(-1)?.batch_size, 4096);
  });

  test("what came from the cache or failed was not computed", () => {
    const statistics = new Statistics();
    statistics.observe({
      call: call(1),
      inferred: answer(1, { degraded: { rung: "cache", reason: "failure" } }),
      at: 1,
    });
    statistics.observe({ call: call(1), inferred: answer(1, { error: new Error("x") as never }), at: 2 });
    statistics.refused(MODEL, 3);
    const { inference_count, inference_stats } = statistics.of(MODEL.deployment);
    assert.equal(inference_count, 0);
    assert.deepEqual(
      [inference_stats.success.count, inference_stats.fail.count, inference_stats.cache_hit.count],
      [1, 2, 1],
    );
    assert.ok(inference_stats.fail.ns >= 3_000_000);
  });
});
