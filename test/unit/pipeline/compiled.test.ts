import assert from "node:assert/strict";
import { test } from "node:test";
import { compile } from "@muster/agent/runner/pipeline/compile";
import { toHalf } from "@muster/agent/runner/pipeline/half";
import type { TensorValue } from "@muster/agent/runner/tensors/datatypes";
import type { AfterStep } from "@muster/shared/protocol/serving/pipeline";
import { png } from "./pictures.ts";

const BEFORE = [
  { op: "decode-image" },
  { op: "resize", width: 20, height: 20, fit: "fit" },
  { op: "normalize", scale: 1 / 255 },
  { op: "layout", to: "NCHW" },
] as const;
const DETECT: AfterStep[] = [
  { op: "split-detections", across: "columns" },
  { op: "nms", format: "center", minScore: 0.3, maxOverlap: 0.5, max: 10 },
  { op: "scale-boxes", from: "pixels" },
];
/** A picture in a frame of 20 by 20; boxes around their center with two class scores, three of them. */
const DETECTOR = {
  inputs: [{ name: "images", datatype: "FP32" as const, shape: ["n", 3, 20, 20] }],
  outputs: [{ name: "output0", datatype: "FP32" as const, shape: ["n", 6, "m"] }],
  labels: ["dog", "cat"],
};
const FOUND: TensorValue = {
  name: "output0",
  datatype: "FP32",
  shape: [1, 6, 3],
  // x, y, width, height, dog, cat of the three
  data: Float32Array.of(10, 10.5, 2, 10, 10.5, 2, 4, 4, 4, 4, 4, 4, 0.9, 0.8, 0.1, 0.2, 0.1, 0.2),
};
const named = (tensors: readonly TensorValue[]) =>
  Object.fromEntries(
    tensors.map(({ name, shape, data }) => [name, { shape, data: Array.from(data as ArrayLike<unknown>) }]),
  );
const rounded = (value: number) => Math.round(value * 100) / 100;

test("what a detector finds lies where it is in the picture that was posted", async () => {
  const { before, after } = compile({ before: [...BEFORE], after: DETECT }, DETECTOR);
  const { input, placement } = await before!.run(await png(40, 20, 1, new Uint8Array(800).fill(255)));
  assert.deepEqual([input.name, input.shape], ["images", [1, 3, 20, 20]]);
  const pixels = input.data as Float32Array;
  // Bars above and below, the picture between.
  assert.deepEqual([rounded(pixels[0]!), pixels[10 * 20]], [0.45, 1]);
  const answer = named(after.run([FOUND], placement));
  assert.deepEqual(Object.keys(answer), ["boxes", "scores", "classes", "labels"]);
  assert.deepEqual(answer.boxes, { shape: [1, 4], data: [16, 6, 24, 14] });
  assert.deepEqual(
    answer.scores!.data.map((value) => rounded(value as number)),
    [0.9],
  );
  assert.deepEqual(answer.labels, { shape: [1], data: ["dog"] });
});

test("without a picture boxes stay in the model's frame, and a batch is refused", () => {
  const { after } = compile({ before: [...BEFORE], after: DETECT }, DETECTOR);
  assert.deepEqual(named(after.run([FOUND], undefined)).boxes!.data, [8, 8, 12, 12]);
  const two = { ...FOUND, shape: [2, 6, 3], data: new Float32Array(36) };
  assert.throws(() => after.run([two], undefined), { code: "inference.invalid" });
});

test("nothing found is an empty answer", () => {
  const { after } = compile({ before: [...BEFORE], after: DETECT }, DETECTOR);
  const none = { ...FOUND, shape: [1, 6, 0], data: new Float32Array(0) };
  assert.deepEqual(named(after.run([none], undefined)), {
    boxes: { shape: [0, 4], data: [] },
    scores: { shape: [0], data: [] },
    classes: { shape: [0], data: [] },
    labels: { shape: [0], data: [] },
  });
});

test("outputs of every type are reckoned with, row by row", () => {
  const outputs = [
    { name: "half", datatype: "FP16" as const, shape: ["n", 3] },
    { name: "wide", datatype: "INT64" as const, shape: ["n", 2] },
  ];
  const after: AfterStep[] = [
    { op: "argmax", keep: true },
    { op: "threshold", tensor: "wide", min: 2 },
  ];
  const run = compile({ after }, { inputs: [], outputs, labels: ["a"] }).after;
  const answer = named(
    run.run(
      [
        {
          name: "half",
          datatype: "FP16",
          shape: [2, 3],
          data: Uint16Array.from([1, 3, 2, 0, -1, -2], toHalf),
        },
        { name: "wide", datatype: "INT64", shape: [2, 2], data: BigInt64Array.of(1n, 2n, 3n, -4n) },
      ],
      undefined,
    ),
  );
  assert.deepEqual(answer, {
    half: { shape: [2, 3], data: [1, 3, 2, 0, -1, -2] },
    class_index: { shape: [2], data: [1, 0] },
    class_score: { shape: [2], data: [3, 0] },
    class_label: { shape: [2], data: ["1", "a"] },
    above: { shape: [2, 2], data: [0, 1, 1, 0] },
  });
});
