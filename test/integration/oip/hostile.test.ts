import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { DEFAULT_REQUEST_LIMITS as LIMITS } from "@muster/agent/runner/request-limits";
import type { BenchBox } from "../runner/bench-box.ts";
import { call, infer, type Reply, type Target } from "../runner/client.ts";
import { mismatches } from "./schemas.ts";
import { serveModels, targetsOf } from "./served.ts";

// What others' servers were broken by: cases after Triton's `qa/L0_http` and the reports of its users.

let box: BenchBox;
let pid: number | null;
let target: Target;

before(async () => {
  box = await serveModels({ settings: { queueLimit: 8 } });
  pid = box.inference.status().pid;
  target = targetsOf(box).socket;
});

after(() => box.close());

const x = { name: "x", datatype: "FP32", shape: [1, 4], data: [1, 2, 3, 4] };
const post = (text: string, model = "classifier"): Promise<Reply> =>
  call(target, "POST", `/v2/models/${model}/infer`, text);
const nested = (levels: number, inner = "1"): string => `${"[".repeat(levels)}${inner}${"]".repeat(levels)}`;
const inputs = (tensor: object): object => ({ inputs: [{ ...x, ...tensor }] });

describe("refused with 400 and a sentence", () => {
  const cases: [what: string, body: object | string, sentence?: RegExp][] = [
    ["a shape whose product overflows 64 bits", inputs({ shape: [2 ** 4, 2 ** 60 + 2] })],
    [
      "a shape written with more digits than a double has",
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[16,1152921504606846978],"data":[1]}]}',
    ],
    ["a negative dimension", inputs({ shape: [-1, 4] })],
    ["a negative dimension beside a zero", inputs({ shape: [0, -4] })],
    ["a million dimensions", inputs({ shape: new Array(100_000).fill(1) }), /dimensions/],
    ["JSON of 100 levels", `{"inputs":${nested(100)}}`, /levels/],
    ["JSON of 100,000 levels", nested(100_000), /levels/],
    ["JSON of 100,000 objects", '{"a":'.repeat(100_000), /levels/],
    [
      "levels hidden behind a text with an escaped quote",
      `{"a":"\\"]]]]","inputs":${nested(100)}}`,
      /levels/,
    ],
    ["a text without an end", '{"inputs":"\\"'],
    ["duplicate output names", { inputs: [x], outputs: [{ name: "scores" }, { name: "scores" }] }, /twice/],
    ["duplicate input names", { inputs: [x, x] }, /twice/],
    ["too many inputs", { inputs: new Array(LIMITS.tensors + 1).fill(x) }, /items/],
    [
      "too many outputs",
      { inputs: [x], outputs: new Array(LIMITS.tensors + 1).fill({ name: "scores" }) },
      /items/,
    ],
    ["too long an id", { id: "i".repeat(LIMITS.idLength + 1), inputs: [x] }, /characters/],
    [
      "too many rows",
      inputs({ shape: [LIMITS.rows + 1, 4], data: new Array((LIMITS.rows + 1) * 4).fill(0) }),
      /rows/,
    ],
    [
      "too many parameters",
      {
        inputs: [x],
        parameters: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`p${index}`, 1])),
      },
      /parameters/,
    ],
    ["a name that is a nested list", inputs({ name: [[["x"]]] }), /no input a list/],
    ["a name of a megabyte", inputs({ name: "x".repeat(1_000_000) }), /no input/],
    ["a priority beyond the tiers", { inputs: [x], parameters: { priority: 4 } }, /priority/],
    ["a priority that is a text", { inputs: [x], parameters: { priority: "1" } }, /priority/],
    ["a negative timeout", { inputs: [x], parameters: { timeout: -1 } }, /timeout/],
    ["a timeout of a fraction", { inputs: [x], parameters: { timeout: 0.5 } }, /timeout/],
    ["__proto__ in place of parameters", '{"inputs":[],"parameters":{"__proto__":{"a":{}}}}'],
    [
      "a negative number of classes",
      { inputs: [x], outputs: [{ name: "scores", parameters: { classification: -1 } }] },
    ],
  ];
  for (const [what, body, sentence] of cases)
    test(what, async () => {
      const reply = await post(typeof body === "string" ? body : JSON.stringify(body));
      assert.equal(reply.status, 400, reply.body.toString().slice(0, 300));
      assert.equal(reply.json.code, "inference.invalid");
      assert.deepEqual(mismatches("error", reply.json), []);
      if (sentence) assert.match(reply.json.error, sentence);
    });

  const integers: [model: string, datatype: string, text: string][] = [
    ["int64", "INT64", "9223372036854775808"],
    ["int64", "INT64", "-9223372036854775809"],
    ["uint64", "UINT64", "18446744073709551616"],
    ["uint64", "UINT64", "-10000000000000000"],
    ["int64", "INT64", "1.0000000000000000001e17"],
    ["int64", "INT64", "00000000000000000001"],
    ["int64", "INT64", '"9007199254740993"'],
    ["int64", "INT64", "9".repeat(40)],
  ];
  for (const [model, datatype, text] of integers)
    test(`${text} is no ${datatype} in JSON`, async () => {
      const reply = await post(
        `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[1],"data":[${text}]}]}`,
        model,
      );
      assert.equal(reply.status, 400);
    });
});

test("FP16 in JSON is refused, as input and as output", async () => {
  const shape = { name: "x", datatype: "FP16", shape: [1] };
  for (const tensor of [
    { ...shape, data: [1] },
    { ...shape, parameters: { binary_data_size: 2 } },
  ]) {
    const reply = await infer(target, "fp16", { inputs: [tensor] });
    assert.equal(reply.status, 400);
    assert.match(reply.json.error, /FP16|ends before/);
  }
});

test("a long integer is a number like any other for a tensor of floats", async () => {
  const body =
    '{"inputs":[{"name":"x","datatype":"FP64","shape":[2],"data":[12345678901234567890,0.1234567890123456789]}]}';
  assert.deepEqual(
    (await post(body, "fp64")).json.outputs[0].data,
    [12345678901234567000, 0.12345678901234568],
  );
});

test("a full queue answers 503 with Retry-After to what is too much, and the rest is computed", async () => {
  const one = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] };
  const replies = await Promise.all(Array.from({ length: 40 }, () => infer(target, "slow", one)));
  const refused = replies.filter(({ status }) => status === 503);
  const answered = replies.filter(({ status }) => status === 200);
  assert.equal(refused.length + answered.length, 40);
  assert.ok(refused.length > 0 && answered.length >= 8);
  for (const { headers, json } of refused) {
    assert.match(headers["retry-after"] ?? "", /^[1-9]\d*$/);
    assert.equal(json.code, "inference.overloaded");
  }
});

test("a timeout that cannot be kept is refused before it is computed", async () => {
  const one = { inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] };
  const hurried = { ...one, parameters: { timeout: 1 } };
  const replies = await Promise.all([
    ...Array.from({ length: 4 }, () => infer(target, "slow", one)),
    ...Array.from({ length: 4 }, () => infer(target, "slow", hurried)),
  ]);
  assert.deepEqual(
    replies.slice(0, 4).map(({ status }) => status),
    [200, 200, 200, 200],
  );
  for (const { status, json } of replies.slice(4)) {
    assert.ok(status === 503 || status === 504, String(status));
    assert.ok(["inference.overloaded", "inference.expired"].includes(json.code));
  }
});

test("the runner is healthy after all of it: the same process, never restarted", async () => {
  assert.equal((await call(target, "GET", "/v2/health/ready")).status, 200);
  assert.equal((await infer(target, "classifier", { inputs: [x] })).status, 200);
  assert.equal(box.inference.status().pid, pid);
  assert.equal(box.inference.status().restarts, 0);
});
