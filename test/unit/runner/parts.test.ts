import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { forwardLines } from "@muster/agent/inference/output-lines";
import { Watchdog } from "@muster/agent/inference/watchdog";
import type { Datatype } from "@muster/agent/runner/tensors/datatypes";
import { verdictsOf } from "@muster/agent/runner/verdict";

describe("the verdict of outputs", () => {
  const output = (shape: number[], data: number[], datatype: Datatype = "FP32") => ({
    name: "y",
    datatype,
    shape,
    data: datatype === "FP32" ? Float32Array.from(data) : Int32Array.from(data),
  });
  const tops = (...args: Parameters<typeof verdictsOf>) => verdictsOf(...args).map(({ top }) => top);

  test("arg max of a vector, the first of equals", () => {
    assert.deepEqual(tops(output([3], [1, 3, 3]), undefined), [{ index: 1, score: 3 }]);
  });
  test("one for each row, with its label where there is one", () => {
    assert.deepEqual(tops(output([2, 2], [1, 0, 0, 2]), ["low"]), [
      { index: 0, score: 1, label: "low" },
      { index: 1, score: 2 },
    ]);
  });
  test("none for images, integers, nothing and empty batches", () => {
    for (const first of [
      output([1, 1, 2], [1, 2]),
      output([2], [1, 2], "INT32"),
      undefined,
      output([0, 3], []),
    ])
      assert.deepEqual(verdictsOf(first, undefined), [{ ok: true, top: null }]);
  });
  test("a row with a score that is no number has failed, the others have not", () => {
    const verdicts = verdictsOf(output([2, 2], [Number.NaN, 1, 0, 1]), undefined);
    assert.deepEqual(
      verdicts.map(({ ok }) => ok),
      [false, true],
    );
    assert.equal(verdicts[0]!.failure?.code, "inference.failed");
  });
});

test("the watchdog gives up after as many pings without an answer as it has patience", () => {
  const watchdog = new Watchdog();
  const beats = (count: number) => Array.from({ length: count }, () => watchdog.beat(3));
  assert.deepEqual(beats(2), [1, 2]);
  watchdog.answered(2);
  watchdog.answered(1);
  assert.deepEqual(beats(4), [3, 4, 5, "hung"]);
  assert.equal(watchdog.beat(4), 6);
  watchdog.answered(3);
  assert.equal(watchdog.beat(4), 7);
  watchdog.alive();
  assert.deepEqual(beats(4), [8, 9, 10, "hung"]);
});

test("lines are told whole, long ones cut, and too many counted", async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  let now = 0;
  forwardLines(
    stream,
    (line) => lines.push(line),
    () => now,
  );
  const write = async (text: string) => {
    stream.write(text);
    await new Promise(setImmediate);
  };
  await write("one\ntw");
  await write("o\n\n");
  await write(`${"x".repeat(5000)}\n`);
  assert.deepEqual(lines.slice(0, 2), ["one", "two"]);
  assert.equal(lines[2]!.length, 2000);
  await write("again\n".repeat(200));
  assert.equal(lines.length, 100);
  now = 10_000;
  await write("later\nlast");
  assert.deepEqual(lines.slice(100), ["(103 more lines were left out)", "later"]);
  stream.end();
  await new Promise(setImmediate);
  assert.equal(lines.at(-1), "last");
});
