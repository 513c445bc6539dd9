import type { MusterError } from "../../errors.ts";
import type { AfterStep } from "./pipeline.ts";
import { shapeText, unfit } from "./pipeline-input.ts";

/** A tensor as far as it is known without running the model; null for what is not. */
export interface Known {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (number | null)[] | null;
}

export interface Surroundings {
  /** Outputs of the model in order; null where there is no model to look at. */
  readonly outputs: readonly Known[] | null;
  readonly hasLabels: boolean;
  /** The pipeline decodes pictures. */
  readonly hasPicture: boolean;
}

type Refuse = (why: string) => MusterError;

/**
 * Checks that each step after the model finds its tensors, in a shape that it can work on.
 * @returns what the answer holds; of a model that nobody has looked at only what steps make
 * @throws MusterError `pipeline.unfit` naming the step
 */
export function checkAfter(steps: readonly AfterStep[], surroundings: Surroundings): Known[] {
  const bag = new Bag(surroundings.outputs);
  for (const [index, step] of steps.entries()) {
    const no = (why: string) => unfit("after", index, step.op, why);
    follow(bag, step, surroundings, no);
  }
  return bag.all();
}

/** The tensors at one step of the way. */
class Bag {
  readonly #known: Map<string, Known>;
  readonly #gone = new Set<string>();
  readonly #isOpen: boolean;
  readonly #first: string | undefined;

  constructor(outputs: readonly Known[] | null) {
    this.#known = new Map(outputs?.map((output) => [output.name, output]));
    this.#isOpen = outputs === null;
    this.#first = outputs?.[0]?.name;
  }

  get(name: string | undefined, no: Refuse): Known {
    const asked = name ?? this.#first;
    if (asked === undefined || this.#gone.has(asked)) {
      if (asked !== undefined) throw no(`needs '${asked}', which a step before has taken: say keep there.`);
      return { name: "", datatype: "FP32", shape: null };
    }
    const found = this.#known.get(asked);
    if (found) return found;
    if (!this.#isOpen)
      throw no(`needs '${asked}'; there is ${[...this.#known.keys()].join(", ") || "nothing"}.`);
    return { name: asked, datatype: "FP32", shape: null };
  }

  take({ name }: Known, keep = false): void {
    if (keep || name === "") return;
    this.#known.delete(name);
    this.#gone.add(name);
  }

  put(made: readonly Known[], no: Refuse): void {
    for (const each of made) {
      if (this.#known.has(each.name)) throw no(`makes '${each.name}', which is there already.`);
      this.#gone.delete(each.name);
      this.#known.set(each.name, each);
    }
  }

  replace(tensor: Known): void {
    if (tensor.name !== "") this.#known.set(tensor.name, tensor);
  }

  all(): Known[] {
    return [...this.#known.values()];
  }
}

function follow(bag: Bag, step: AfterStep, { hasLabels, hasPicture }: Surroundings, no: Refuse): void {
  if (step.op === "nms") {
    nms(bag, step, hasLabels, no);
    return;
  }
  if (step.op === "scale-boxes") {
    if (!hasPicture) throw no("needs a pipeline that decodes pictures.");
    const boxes = bag.get(step.boxes ?? "boxes", no);
    requireShape(boxes, (shape) => shape.at(-1) === 4 || shape.at(-1) === null, "[.., 4]", no);
    return;
  }
  const from = bag.get(step.tensor, no);
  if (from.datatype === "BYTES" || from.datatype === "BOOL") throw no(`cannot reckon with ${from.datatype}.`);
  requireShape(from, (shape) => shape.length > 0, "at least one axis", no);
  const lead = from.shape?.slice(0, -1) ?? null;
  switch (step.op) {
    case "softmax":
    case "sigmoid":
      bag.replace({ ...from, datatype: "FP32" });
      return;
    case "argmax":
      bag.take(from, step.keep);
      bag.put(best(step.as ?? "class", lead, hasLabels), no);
      return;
    case "top-k": {
      const width = from.shape?.at(-1);
      if (typeof width === "number" && step.k > width) throw no(`asks for ${step.k} of ${width}.`);
      bag.take(from, step.keep);
      bag.put(best(step.as ?? "top", lead && [...lead, step.k], hasLabels), no);
      return;
    }
    case "threshold":
      bag.take(from, step.keep);
      bag.put([{ name: step.as ?? "above", datatype: "BOOL", shape: from.shape }], no);
      return;
    case "split-detections": {
      const extra = step.objectness ? 5 : 4;
      requireShape(from, isOneOf(2), "[N, M] or [1, N, M]", no);
      const [rows, width] = step.across === "rows" ? [-2, -1] : [-1, -2];
      const values = from.shape?.at(width) ?? null;
      if (values !== null && values <= extra)
        throw no(`finds ${values} values a box; ${extra} and a score for each class are needed.`);
      const count = from.shape?.at(rows) ?? null;
      bag.take(from, step.keep);
      const scores = [count, values === null ? null : values - extra];
      bag.put([tensor("boxes", [count, 4]), tensor("scores", scores)], no);
    }
  }
}

function nms(bag: Bag, step: Extract<AfterStep, { op: "nms" }>, hasLabels: boolean, no: Refuse): void {
  const boxes = bag.get(step.boxes ?? "boxes", no);
  const scores = bag.get(step.scores ?? "scores", no);
  requireShape(boxes, (shape) => isOneOf(2)(shape) && (shape.at(-1) ?? 4) === 4, "[N, 4] or [1, N, 4]", no);
  const isScores = (shape: Shape) => shape.length === 1 || isOneOf(2)(shape);
  requireShape(scores, isScores, "[N], [N, C] or [1, N, C]", no);
  bag.take(boxes);
  bag.take(scores);
  const made = [tensor("boxes", [null, 4]), tensor("scores", [null]), tensor("classes", [null], "INT32")];
  bag.put(hasLabels ? [...made, tensor("labels", [null], "BYTES")] : made, no);
}

type Shape = readonly (number | null)[];

const tensor = (name: string, shape: Shape, datatype = "FP32"): Known => ({ name, datatype, shape });

/** `rank` axes, or one more where the first is a batch of one. */
const isOneOf =
  (rank: number) =>
  (shape: Shape): boolean =>
    shape.length === rank || (shape.length === rank + 1 && (shape[0] === 1 || shape[0] === null));

function requireShape(
  { name, shape }: Known,
  fits: (shape: Shape) => boolean,
  wanted: string,
  no: Refuse,
): void {
  if (shape && !fits(shape)) throw no(`needs '${name}' to be ${wanted}; it is [${shapeText(shape)}].`);
}

function best(prefix: string, shape: Shape | null, hasLabels: boolean): Known[] {
  const made: Known[] = [
    { name: `${prefix}_index`, datatype: "INT32", shape },
    { name: `${prefix}_score`, datatype: "FP32", shape },
  ];
  return hasLabels ? [...made, { name: `${prefix}_label`, datatype: "BYTES", shape }] : made;
}
