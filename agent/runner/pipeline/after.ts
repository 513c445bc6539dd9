import { MusterError } from "@muster/shared/errors";
import type { AfterStep, StepOf } from "@muster/shared/protocol/serving/pipeline";
import { checkAfter } from "@muster/shared/protocol/serving/pipeline-output";
import {
  type Datatype,
  elementCount,
  type TensorData,
  type TensorSpec,
  type TensorValue,
} from "../tensors/datatypes.ts";
import { cornersOf, splitDetections, suppress } from "./detections.ts";
import { fromHalf } from "./half.ts";
import { type Placement, toSource } from "./placement.ts";
import { sigmoid, softmax, topK } from "./scores.ts";

export interface After {
  /** Outputs of the model that the steps look at, or that stay in the answer. */
  readonly needs: readonly string[];
  /** @throws MusterError `inference.invalid` for a batch where a step takes one picture at a time */
  run(outputs: readonly TensorValue[], placement: Placement | undefined): TensorValue[];
}

/** Tensors by name, in the order in which they came. */
type Bag = Map<string, TensorValue>;

interface Context {
  /** Default tensor of most steps. */
  readonly first: string;
  readonly labels: readonly string[] | undefined;
}

/**
 * Makes the steps after a model ready to run.
 * @throws MusterError `pipeline.unfit` when a step does not find what it needs
 */
export function compileAfter(
  steps: readonly AfterStep[],
  outputs: readonly TensorSpec[],
  labels: readonly string[] | undefined,
  hasPicture: boolean,
): After {
  const known = outputs.map(({ name, datatype, shape }) => ({
    name,
    datatype,
    shape: shape.map((size) => (typeof size === "number" ? size : null)),
  }));
  checkAfter(steps, { outputs: known, hasLabels: labels !== undefined, hasPicture });
  const context: Context = { first: outputs[0]?.name ?? "", labels };
  return {
    needs: outputs.map(({ name }) => name),
    run(values, placement) {
      const bag: Bag = new Map(values.map((value) => [value.name, value]));
      for (const step of steps) follow(bag, step, context, placement);
      return [...bag.values()].map(writable);
    },
  };
}

function follow(bag: Bag, step: AfterStep, context: Context, placement: Placement | undefined): void {
  if (step.op === "nms") {
    nms(bag, step, context.labels);
  } else if (step.op === "scale-boxes") {
    const boxes = bag.get(step.boxes ?? "boxes")!;
    // Tensors came in place of a picture: there is nothing to scale to.
    if (placement)
      put(bag, { ...boxes, datatype: "FP32", data: toSource(floats(boxes), placement, step.from) });
  } else {
    score(bag, step, bag.get(step.tensor ?? context.first)!, context.labels);
  }
}

function score(
  bag: Bag,
  step: Exclude<AfterStep, { op: "nms" | "scale-boxes" }>,
  from: TensorValue,
  labels: readonly string[] | undefined,
): void {
  const values = floats(from);
  const width = from.shape.at(-1)!;
  if (step.op === "softmax" || step.op === "sigmoid") {
    const data = step.op === "softmax" ? softmax(values, width) : sigmoid(values);
    put(bag, float(from.name, from.shape, data));
    return;
  }
  if (!step.keep) bag.delete(from.name);
  if (step.op === "argmax") {
    const best = topK(values, width, Math.min(1, width));
    putBest(bag, step.as ?? "class", from.shape.slice(0, -1), best, labels);
  } else if (step.op === "top-k") {
    const k = Math.min(step.k, width);
    const shape = [...from.shape.slice(0, -1), k];
    putBest(bag, step.as ?? "top", shape, topK(values, width, k), labels);
  } else if (step.op === "threshold") {
    const data = Uint8Array.from(values, (value) => (value >= step.min ? 1 : 0));
    put(bag, { name: step.as ?? "above", datatype: "BOOL", shape: from.shape, data });
  } else {
    split(bag, step, from, values);
  }
}

function split(
  bag: Bag,
  { across, objectness = false }: StepOf<AfterStep, "split-detections">,
  from: TensorValue,
  values: Float32Array,
): void {
  requireOne(from, 2);
  const [rows, columns] = from.shape.slice(-2) as [number, number];
  const [count, width] = across === "rows" ? [rows, columns] : [columns, rows];
  const { boxes, scores, classes } = splitDetections(values, count, width, across, objectness);
  put(bag, float("boxes", [count, 4], boxes));
  put(bag, float("scores", [count, classes], scores));
}

function nms(bag: Bag, step: StepOf<AfterStep, "nms">, labels: readonly string[] | undefined): void {
  const boxes = bag.get(step.boxes ?? "boxes")!;
  const scores = bag.get(step.scores ?? "scores")!;
  requireOne(boxes, 2);
  if (scores.shape.length > 1) requireOne(scores, 2);
  const count = boxes.shape.at(-2)!;
  const width = scores.shape.length === 1 ? 1 : scores.shape.at(-1)!;
  if (boxes.shape.at(-1) !== 4 || elementCount(scores.name, scores.shape) !== count * width)
    throw new MusterError(
      "inference.invalid",
      `Boxes [${boxes.shape.join(", ")}] and scores [${scores.shape.join(", ")}] do not belong together.`,
    );
  const corners = step.format === "center" ? cornersOf(floats(boxes)) : floats(boxes);
  const { minScore, maxOverlap, max, acrossClasses = false } = step;
  const found = suppress(corners, floats(scores), width, { minScore, maxOverlap, max, acrossClasses });
  bag.delete(boxes.name);
  bag.delete(scores.name);
  const shape = [found.scores.length];
  put(bag, float("boxes", [found.scores.length, 4], found.boxes));
  put(bag, float("scores", shape, found.scores));
  put(bag, { name: "classes", datatype: "INT32", shape, data: found.classes });
  if (labels) put(bag, { name: "labels", datatype: "BYTES", shape, data: named(found.classes, labels) });
}

/** JSON has no half floats: what is left of them is given as FP32. */
export const writable = (tensor: TensorValue): TensorValue =>
  tensor.datatype === "FP16" ? float(tensor.name, tensor.shape, floats(tensor)) : tensor;

/** Axes before the last `rank` hold one thing, not a batch. */
function requireOne({ name, shape }: TensorValue, rank: number): void {
  if (shape.slice(0, -rank).some((size) => size !== 1))
    throw new MusterError(
      "inference.invalid",
      `The pipeline takes one picture at a time; '${name}' is [${shape.join(", ")}].`,
    );
}

function putBest(
  bag: Bag,
  prefix: string,
  shape: readonly number[],
  { index, score }: ReturnType<typeof topK>,
  labels: readonly string[] | undefined,
): void {
  put(bag, { name: `${prefix}_index`, datatype: "INT32", shape, data: index });
  put(bag, float(`${prefix}_score`, shape, score));
  if (labels) put(bag, { name: `${prefix}_label`, datatype: "BYTES", shape, data: named(index, labels) });
}

/** A class that has no label is told by its number. */
const named = (classes: Int32Array, labels: readonly string[]): string[] =>
  Array.from(classes, (index) => labels[index] ?? String(index));

const put = (bag: Bag, tensor: TensorValue): void => void bag.set(tensor.name, tensor);

const float = (name: string, shape: readonly number[], data: Float32Array): TensorValue => ({
  name,
  datatype: "FP32",
  shape,
  data,
});

const floats = ({ datatype, data }: { datatype: Datatype; data: TensorData }): Float32Array => {
  if (data instanceof Float32Array) return data;
  if (datatype === "FP16") return Float32Array.from(data as Uint16Array, fromHalf);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
};
