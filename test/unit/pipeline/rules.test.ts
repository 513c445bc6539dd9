import assert from "node:assert/strict";
import { test } from "node:test";
import { compile } from "@muster/agent/runner/pipeline/compile";
import { type BeforeStep, Pipeline } from "@muster/shared/protocol/serving/pipeline";
import { madeBy } from "@muster/shared/protocol/serving/pipeline-input";
import { checkAfter } from "@muster/shared/protocol/serving/pipeline-output";
import { validate } from "@muster/shared/protocol/validate";

const IMAGE = { op: "decode-image" } as const;
const SIGNAL = { op: "decode-signal", type: "int16" } as const;
const RESIZE = { op: "resize", width: 8, height: 4, fit: "fit" } as const;
const NCHW = { op: "layout", to: "NCHW" } as const;
const WINDOW = { op: "window", size: 512 } as const;

test("what steps make is known without a picture or signal", () => {
  const cases: [BeforeStep[], (number | null)[], string][] = [
    [[IMAGE, RESIZE, NCHW], [1, 3, 4, 8], "UINT8"],
    [[IMAGE, { op: "layout", to: "NHWC" }], [1, null, null, 3], "UINT8"],
    [[IMAGE, RESIZE, { op: "color", to: "gray" }, { op: "normalize" }, NCHW], [1, 1, 4, 8], "FP32"],
    [[IMAGE, RESIZE, { op: "standardize" }, { op: "cast", to: "INT8" }, NCHW], [1, 3, 4, 8], "INT8"],
    [[IMAGE, RESIZE, NCHW, { op: "reshape", shape: [-1] }], [96], "UINT8"],
    [[{ ...SIGNAL, channels: 2 }], [2, null], "FP32"],
    [[SIGNAL, WINDOW], [null, 1, 512], "FP32"],
    [[SIGNAL, WINDOW, { op: "reshape", shape: [-1, 512] }], [null, 512], "FP32"],
    [[SIGNAL, WINDOW, { op: "reshape", shape: [-1, 16, 32] }], [null, 16, 32], "FP32"],
    [
      [SIGNAL, { op: "resample", from: 44_100, to: 16_000 }, WINDOW, { op: "fft", give: "power" }],
      [null, 1, 257],
      "FP32",
    ],
  ];
  for (const [steps, shape, datatype] of cases) {
    const made = madeBy(steps);
    assert.deepEqual([made.shape, made.datatype], [shape, datatype]);
  }
});

const unfit = (part: string, index: number, op: string) => ({
  code: "pipeline.unfit",
  message: new RegExp(`^Step ${part}\\[${index}\\] '${op}' `),
});

test("a step that cannot work on what comes before it is named", () => {
  const cases: [BeforeStep[], number][] = [
    [[RESIZE], 0],
    [[IMAGE], 0],
    [[IMAGE, IMAGE, NCHW], 1],
    [[IMAGE, SIGNAL], 1],
    [[IMAGE, WINDOW], 1],
    [[SIGNAL, RESIZE], 1],
    [[IMAGE, NCHW, RESIZE], 2],
    [[IMAGE, { op: "cast", to: "INT8" }, { op: "normalize" }, NCHW], 2],
    [[IMAGE, RESIZE, RESIZE, NCHW], 2],
    [[IMAGE, { op: "normalize", mean: [1, 2] }, NCHW], 1],
    [[IMAGE, { op: "color", to: "gray" }, { op: "normalize", std: [1, 2, 3] }, NCHW], 2],
    [[IMAGE, RESIZE, { op: "reshape", shape: [-1] }], 2],
    [[IMAGE, RESIZE, NCHW, { op: "reshape", shape: [5, -1] }], 3],
    [[IMAGE, RESIZE, NCHW, { op: "reshape", shape: [95] }], 3],
    [[SIGNAL, { op: "fft", give: "power" }], 1],
    [[SIGNAL, { op: "window", size: 100 }, { op: "fft", give: "power" }], 2],
    [[SIGNAL, WINDOW, WINDOW], 2],
    [[SIGNAL, WINDOW, { op: "resample", from: 2, to: 1 }], 2],
    [[SIGNAL, { op: "resample", from: 1_000_000, to: 1 }], 1],
    [[SIGNAL, { op: "resample", from: 9_999_991, to: 9_999_973 }], 1],
    [[SIGNAL, { op: "normalize", mean: [1, 2] }], 1],
    [[SIGNAL, WINDOW, { op: "cast", to: "INT8" }, { op: "standardize" }], 3],
    [[SIGNAL, WINDOW, { op: "reshape", shape: [2, 256] }], 2],
    [[SIGNAL, WINDOW, { op: "reshape", shape: [-1, -1] }], 2],
    [[SIGNAL, WINDOW, { op: "reshape", shape: [-1, 500] }], 2],
    [[SIGNAL, WINDOW, { op: "reshape", shape: [-1, 0] }], 2],
  ];
  for (const [steps, index] of cases)
    assert.throws(() => madeBy(steps), unfit("before", index, steps[index]!.op), JSON.stringify(steps));
});

const OUTPUTS = [
  { name: "scores", datatype: "FP32", shape: [null, 5] },
  { name: "raw", datatype: "FP32", shape: [1, 84, 8400] },
  { name: "words", datatype: "BYTES", shape: [1] },
];
const around = { outputs: OUTPUTS, hasLabels: true, hasPicture: true };
const names = (steps: Parameters<typeof checkAfter>[0], more = {}) =>
  checkAfter(steps, { ...around, ...more }).map(({ name }) => name);

test("the answer holds what steps leave and make", () => {
  assert.deepEqual(names([{ op: "softmax" }]), ["scores", "raw", "words"]);
  assert.deepEqual(names([{ op: "argmax" }]), ["raw", "words", "class_index", "class_score", "class_label"]);
  assert.deepEqual(names([{ op: "top-k", k: 3, keep: true, as: "best" }], { hasLabels: false }), [
    "scores",
    "raw",
    "words",
    "best_index",
    "best_score",
  ]);
  assert.deepEqual(names([{ op: "threshold", min: 0.5 }]), ["raw", "words", "above"]);
  const detect = [
    { op: "split-detections", tensor: "raw", across: "columns" },
    { op: "nms", format: "center", minScore: 0.2, maxOverlap: 0.5, max: 10 },
    { op: "scale-boxes", from: "pixels" },
  ] as const;
  const raw = { outputs: OUTPUTS.slice(1) };
  assert.deepEqual(names([...detect], raw), ["words", "boxes", "scores", "classes", "labels"]);
  assert.throws(
    () => names([...detect]),
    unfit("after", 0, "split-detections"),
    "there is a 'scores' already",
  );
});

test("a step that does not find its tensor, or not in its shape, is named", () => {
  const cases: [Parameters<typeof checkAfter>[0], number, object?][] = [
    [[{ op: "softmax", tensor: "nothing" }], 0],
    [[{ op: "argmax" }, { op: "softmax" }], 1],
    [[{ op: "argmax", keep: true }, { op: "argmax" }], 1],
    [[{ op: "top-k", k: 6 }], 0],
    [[{ op: "sigmoid", tensor: "words" }], 0],
    [
      [
        { op: "split-detections", tensor: "raw", across: "rows", keep: true },
        { op: "nms", boxes: "raw", format: "center", minScore: 0, maxOverlap: 1, max: 1 },
      ],
      0,
    ],
    [
      [{ op: "nms", boxes: "raw", scores: "scores", format: "corners", minScore: 0, maxOverlap: 1, max: 1 }],
      0,
    ],
    [[{ op: "scale-boxes", boxes: "scores", from: "unit" }], 0],
    [[{ op: "scale-boxes", boxes: "scores", from: "unit" }], 0, { hasPicture: false }],
  ];
  for (const [steps, index, more] of cases)
    assert.throws(() => names(steps, more), unfit("after", index, steps[index]!.op), JSON.stringify(steps));
});

test("without a model the steps are checked against each other", () => {
  const unseen = { outputs: null };
  assert.deepEqual(names([{ op: "softmax" }, { op: "argmax" }], unseen), [
    "class_index",
    "class_score",
    "class_label",
  ]);
  assert.throws(() => names([{ op: "argmax" }, { op: "argmax" }], unseen), unfit("after", 1, "argmax"));
  const twice = [
    { op: "argmax", tensor: "a" },
    { op: "softmax", tensor: "a" },
  ] as const;
  assert.throws(() => names([...twice], unseen), unfit("after", 1, "softmax"));
});

const tensor = (name: string, datatype: string, shape: (number | string)[]) =>
  ({ name, datatype, shape }) as never;

test("a pipeline that does not make the model's input is refused", () => {
  const scores = [tensor("y", "FP32", ["n", 5])];
  const before = [IMAGE, RESIZE, { op: "normalize" } as const, NCHW];
  const fit = (...inputs: never[]) => compile({ before }, { inputs, outputs: scores, labels: undefined });
  fit(tensor("x", "FP32", ["n", 3, 4, 8]));
  fit(tensor("x", "FP32", [1, 3, "h", "w"]));
  for (const wrong of [
    tensor("x", "UINT8", ["n", 3, 4, 8]),
    tensor("x", "FP32", ["n", 3, 8, 4]),
    tensor("x", "FP32", [2, 3, 4, 8]),
    tensor("x", "FP32", [3, 4, 8]),
  ])
    assert.throws(() => fit(wrong), unfit("before", 3, "layout"));
  assert.throws(() => fit(tensor("a", "FP32", [1]), tensor("b", "FP32", [1])), unfit("before", 3, "layout"));
  const unsized = { before: [IMAGE, { op: "normalize" } as const, NCHW] };
  assert.throws(
    () =>
      compile(unsized, { inputs: [tensor("x", "FP32", [1, 3, 4, 8])], outputs: scores, labels: undefined }),
    unfit("before", 2, "layout"),
  );
});

test("the schema takes no step that it does not know and no value without bounds", () => {
  const ok = (pipeline: unknown) => validate(Pipeline, pipeline, "release.manifest-invalid");
  ok({ before: [IMAGE, RESIZE, NCHW], after: [{ op: "softmax" }] });
  for (const wrong of [
    {},
    { before: [] },
    { before: [{ op: "shell" }] },
    { before: [{ ...IMAGE, more: 1 }] },
    { before: [{ ...RESIZE, width: 1_000_000 }] },
    { before: [{ op: "normalize", std: [0] }] },
    { after: [{ op: "top-k", k: 0 }] },
    { after: Array(17).fill({ op: "softmax" }) },
    { between: [] },
  ])
    assert.throws(() => ok(wrong), { code: "release.manifest-invalid" }, JSON.stringify(wrong));
});
