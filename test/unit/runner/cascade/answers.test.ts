import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AnswerCache, keyOf } from "@muster/agent/runner/cascade/answer-cache";
import { defaultsFor, readDefaults } from "@muster/agent/runner/cascade/default-outputs";
import type { Call, Inferred } from "@muster/agent/runner/infer";
import type { TensorSpec, TensorValue } from "@muster/agent/runner/tensors/datatypes";
import { isMusterError } from "@muster/shared/errors";
import type { GoldenTensor } from "@muster/shared/protocol/model-evidence";
import fc from "fast-check";

const floats = (name: string, shape: number[], data: number[]): TensorValue => ({
  name,
  datatype: "FP32",
  shape,
  data: Float32Array.from(data),
});

const inferred = (...data: number[]) =>
  ({ values: [floats("y", [1, data.length], data)], verdicts: [] }) as unknown as Inferred;

const called = (inputs: TensorValue[], outputs = ["y"], specs: TensorSpec[] = []): Call =>
  ({
    model: { inputs: specs },
    request: { inputs, outputs: outputs.map((name) => ({ name, binary: false })) },
  }) as unknown as Call;

describe("the key of an answer", () => {
  const base = called([floats("a", [2], [1, 2]), floats("b", [1], [3])]);
  test("is that of the same question, in any order of inputs", () =>
    assert.equal(keyOf(base), keyOf(called([floats("b", [1], [3]), floats("a", [2], [1, 2])]))));
  const others: [string, Call][] = [
    ["other data", called([floats("a", [2], [1, 2]), floats("b", [1], [4])])],
    ["another shape", called([floats("a", [1, 2], [1, 2]), floats("b", [1], [3])])],
    ["a value moved to the next input", called([floats("a", [1], [1]), floats("b", [2], [2, 3])])],
    ["other outputs", called([floats("a", [2], [1, 2]), floats("b", [1], [3])], ["y", "z"])],
  ];
  for (const [name, other] of others)
    test(`is another for ${name}`, () => assert.notEqual(keyOf(base), keyOf(other)));
  test("tells texts apart", () => {
    const texts = (data: string[]) => called([{ name: "t", datatype: "BYTES", shape: [data.length], data }]);
    assert.notEqual(keyOf(texts(["ab", "c"])), keyOf(texts(["a", "bc"])));
  });
});

describe("the cache of answers", () => {
  test("gives what was put, until it is too old", () => {
    const cache = new AnswerCache(10, 100);
    cache.put("k", inferred(1, 2), 0);
    assert.deepEqual(cache.get("k", 100)?.values[0]?.data, Float32Array.of(1, 2));
    assert.equal(cache.get("k", 101), undefined);
    assert.equal(cache.size, 0);
  });
  test("keeps a copy", () => {
    const cache = new AnswerCache(10, 100);
    const answer = inferred(1);
    cache.put("k", answer, 0);
    (answer.values[0]!.data as Float32Array)[0] = 9;
    assert.equal((cache.get("k", 0)!.values[0]!.data as Float32Array)[0], 1);
  });
  test("forgets what was unused for longest", () => {
    const cache = new AnswerCache(2, 100);
    cache.put("a", inferred(1), 0);
    cache.put("b", inferred(2), 0);
    cache.get("a", 0);
    cache.put("c", inferred(3), 0);
    assert.deepEqual(
      ["a", "b", "c"].map((key) => cache.get(key, 0) !== undefined),
      [true, false, true],
    );
  });
  test("is bounded in bytes", () => {
    const cache = new AnswerCache(100_000, 100);
    for (let index = 0; index < 10; index++)
      cache.put(
        `${index}`,
        { ...inferred(), values: [floats("y", [1e6], new Array<number>(1e6).fill(0))] },
        0,
      );
    assert.ok(cache.size > 0 && cache.size <= 8);
  });
  test("property: never more than it may hold, and always the last", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(9), { maxLength: 50 }), (most, keys) => {
        const cache = new AnswerCache(most, 10);
        for (const key of keys) {
          cache.put(`${key}`, inferred(key), 0);
          assert.ok(cache.size <= most);
          assert.equal((cache.get(`${key}`, 0)!.values[0]!.data as Float32Array)[0], key);
        }
      }),
    );
  });
});

describe("default outputs", () => {
  const outputs: TensorSpec[] = [
    { name: "scores", datatype: "FP32", shape: ["batch", 2] },
    { name: "version", datatype: "INT64", shape: [1] },
  ];
  const scores: GoldenTensor = { name: "scores", datatype: "FP32", shape: [1, 2], data: [0.25, 0.75] };
  const version: GoldenTensor = { name: "version", datatype: "INT64", shape: [1], data: [7] };

  test("have as many rows as the request", () => {
    const specs: TensorSpec[] = [
      { name: "gain", datatype: "FP32", shape: [1] },
      { name: "x", datatype: "FP32", shape: ["batch", 4] },
    ];
    const inputs = [floats("gain", [1], [1]), floats("x", [3, 4], new Array<number>(12).fill(0))];
    const [first, second] = defaultsFor(
      readDefaults({ outputs }, [version, scores]),
      called(inputs, [], specs),
    );
    assert.deepEqual(
      [first!.shape, [...(first!.data as Float32Array)]],
      [
        [3, 2],
        [0.25, 0.75, 0.25, 0.75, 0.25, 0.75],
      ],
    );
    assert.deepEqual([second!.shape, second!.data], [[1], BigInt64Array.of(7n)]);
  });

  test("for no rows are empty", () => {
    const specs: TensorSpec[] = [{ name: "x", datatype: "FP32", shape: ["batch", 4] }];
    const [first] = defaultsFor(
      readDefaults({ outputs }, [scores, version]),
      called([floats("x", [0, 4], [])], [], specs),
    );
    assert.deepEqual([first!.shape, first!.data.length], [[0, 2], 0]);
  });

  const misfits: [string, GoldenTensor[], RegExp][] = [
    ["one is missing", [scores], /'version' has no default/],
    ["one is strange", [scores, version, { ...version, name: "other" }], /no output 'other'/],
    ["another type", [{ ...scores, datatype: "FP64" }, version], /is FP64, not FP32/],
    ["another shape", [{ ...scores, shape: [1, 3], data: [0, 0, 0] }, version], /has shape \[1, 3\]/],
    ["several rows", [{ ...scores, shape: [2, 2], data: [0, 0, 0, 0] }, version], /has 2 rows/],
    ["too little data", [{ ...scores, data: [1] }, version], /scores/],
  ];
  for (const [name, tensors, reason] of misfits)
    test(`do not fit: ${name}`, () =>
      assert.throws(
        () => readDefaults({ outputs }, tensors),
        (error) => isMusterError(error, "inference.invalid") && reason.test(error.message),
      ));
});
