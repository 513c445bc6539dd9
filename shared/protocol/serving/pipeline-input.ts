import { MusterError } from "../../errors.ts";
import type { BeforeStep, StepOf } from "./pipeline.ts";

/** What steps make: a size of null is known only when a picture or signal is there. */
export interface Made {
  readonly kind: "picture" | "signal" | "frames" | "tensor";
  /** `[height, width, channels]`, `[channels, samples]`, `[frames, channels, size]`, or any. */
  readonly shape: readonly (number | null)[];
  readonly datatype: string;
}

/** Names the step in what is wrong with it. */
export const unfit = (part: "before" | "after", index: number, op: string, why: string): MusterError =>
  new MusterError("pipeline.unfit", `Step ${part}[${index}] '${op}' ${why}`);

/** Steps of a picture come in this order, each at most once: so they are one pass over its pixels. */
const PICTURE_ORDER = [
  "decode-image",
  "resize",
  "color",
  "normalize",
  "standardize",
  "cast",
  "layout",
  "reshape",
];
const SIGNAL_STEPS = ["resample", "window", "fft", "normalize", "standardize", "cast", "reshape"];

/**
 * What the steps before the model make, found without a model or data.
 * @throws MusterError `pipeline.unfit` naming the step that cannot work on what the one before it makes
 */
export function madeBy(steps: readonly BeforeStep[]): Made {
  const [first, ...rest] = steps;
  let made: Made;
  if (first?.op === "decode-image") made = { kind: "picture", shape: [null, null, 3], datatype: "UINT8" };
  else if (first?.op === "decode-signal")
    made = { kind: "signal", shape: [first.channels ?? 1, null], datatype: "FP32" };
  else throw unfit("before", 0, first?.op ?? "", "must be decode-image or decode-signal: it comes first.");
  requireOrder(steps);
  for (const [index, step] of rest.entries()) {
    const no = (why: string) => unfit("before", index + 1, step.op, why);
    made = advance(made, step, no);
  }
  if (made.kind === "picture")
    throw unfit("before", steps.length - 1, steps.at(-1)!.op, "leaves a picture: end with layout.");
  return made;
}

function requireOrder(steps: readonly BeforeStep[]): void {
  const isPicture = steps[0]!.op === "decode-image";
  const allowed = isPicture ? PICTURE_ORDER : ["decode-signal", ...SIGNAL_STEPS];
  let last = -1;
  for (const [index, { op }] of steps.entries()) {
    const place = allowed.indexOf(op);
    if (place < 0 || (index > 0 && place === 0))
      throw unfit("before", index, op, `is no step for ${isPicture ? "pictures" : "signals"} here.`);
    if (isPicture && place <= last)
      throw unfit("before", index, op, `stands too late: the order is ${allowed.join(", ")}.`);
    last = place;
  }
}

type Refuse = (why: string) => MusterError;

function advance(made: Made, step: BeforeStep, no: Refuse): Made {
  if (step.op === "reshape") return reshaped(made, step, no);
  if (made.kind === "tensor") throw no("comes after the tensor is made.");
  switch (step.op) {
    case "resize":
      return { ...made, shape: [step.height, step.width, 3] };
    case "color":
      return { ...made, shape: [made.shape[0]!, made.shape[1]!, step.to === "gray" ? 1 : 3] };
    case "layout": {
      const [height, width, channels] = made.shape as [number | null, number | null, number];
      const shape = step.to === "NCHW" ? [1, channels, height, width] : [1, height, width, channels];
      return { kind: "tensor", shape, datatype: made.datatype };
    }
    case "normalize": {
      const channels = channelsOf(made);
      for (const list of [step.mean, step.std])
        if (list && list.length !== 1 && list.length !== channels)
          throw no(`has ${list.length} values for ${channels} channels.`);
      return { ...made, datatype: floatOnly(made, no) };
    }
    case "standardize":
      return { ...made, datatype: floatOnly(made, no) };
    case "cast":
      return { ...made, kind: made.kind === "picture" ? "picture" : "tensor", datatype: step.to };
    case "resample":
      if (made.kind !== "signal") throw no("must come before window.");
      if (!isFeasible(step.from, step.to))
        throw no("takes rates at most 32 times apart whose ratio has a denominator of at most 1024.");
      return made;
    case "window":
      if (made.kind !== "signal") throw no("is there twice.");
      return { ...made, kind: "frames", shape: [null, made.shape[0]!, step.size] };
    case "fft": {
      const size = made.shape[2];
      if (made.kind !== "frames" || typeof size !== "number") throw no("needs the frames of window.");
      if (size < 2 || (size & (size - 1)) !== 0)
        throw no(`needs frames of a power of two; these have ${size}.`);
      return { kind: "frames", shape: [null, made.shape[1]!, size / 2 + 1], datatype: "FP32" };
    }
    default:
      throw no("is no step here.");
  }
}

/** Bounds the filters, one for each phase, and their length. */
function isFeasible(from: number, to: number): boolean {
  let [a, b] = [from, to];
  while (b > 0) [a, b] = [b, a % b];
  return to / a <= 1024 && from / to <= 32 && to / from <= 32;
}

const channelsOf = ({ kind, shape }: Made): number =>
  (kind === "picture" ? shape[2] : shape.at(-2)) as number;

function floatOnly({ datatype }: Made, no: Refuse): string {
  if (datatype !== "FP32" && datatype !== "UINT8") throw no("must come before cast.");
  return "FP32";
}

function reshaped(made: Made, { shape }: StepOf<BeforeStep, "reshape">, no: Refuse): Made {
  if (made.kind === "picture") throw no("must come after layout.");
  if (shape.includes(0)) throw no("has a size of 0.");
  const open = shape.filter((size) => size === -1).length;
  if (open > 1) throw no("has more than one -1.");
  const known = made.shape.reduce<number>((product, size) => product * (size ?? 1), 1);
  const asked = shape.reduce((product, size) => product * (size === -1 ? 1 : size), 1);
  const isVarying = made.shape.includes(null);
  if (isVarying && open === 0) throw no("fixes a size that varies: give one -1.");
  // A signal that is not cut into frames has any number of samples: only the samples themselves can tell.
  const fits = open === 1 ? known % asked === 0 || made.kind === "signal" : known === asked;
  if (!fits) throw no(`cannot make [${shape.join(", ")}] of [${shapeText(made.shape)}].`);
  const rest = isVarying ? null : known / asked;
  return { ...made, kind: "tensor", shape: shape.map((size) => (size === -1 ? rest : size)) };
}

/** A shape for people; what varies is `?`. */
export const shapeText = (shape: readonly (number | string | null)[]): string =>
  shape.map((size) => (typeof size === "number" ? size : "?")).join(", ");
