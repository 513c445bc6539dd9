import { MusterError } from "@muster/shared/errors";
import type { BeforeStep } from "@muster/shared/protocol/serving/pipeline";
import { type Made, madeBy, shapeText, unfit } from "@muster/shared/protocol/serving/pipeline-input";
import type { Datatype, TensorSpec, TensorValue } from "../tensors/datatypes.ts";
import { checkShape } from "../tensors/shape.ts";
import { pictureReader } from "./before-picture.ts";
import { signalReader } from "./before-signal.ts";
import { castTo } from "./cast.ts";
import type { Placement } from "./placement.ts";
import { stepOf } from "./reader.ts";

export interface Before {
  readonly accepts: readonly string[];
  load(): Promise<unknown>;
  /** @throws MusterError of the `media.` family, `inference.overloaded` */
  run(body: Uint8Array): Promise<{ readonly input: TensorValue; readonly placement?: Placement }>;
}

/**
 * Makes the steps before a model ready to run.
 * @throws MusterError `pipeline.unfit` when they do not fit together or do not make the model's input
 */
export function compileBefore(steps: readonly BeforeStep[], inputs: readonly TensorSpec[]): Before {
  const made = madeBy(steps);
  const last = (why: string) => unfit("before", steps.length - 1, steps.at(-1)!.op, why);
  const [input, ...others] = inputs;
  if (!input || others.length > 0)
    throw last(`makes one tensor; the model takes ${inputs.length} inputs, which only tensors can give it.`);
  requireFit(made, input, last);
  const reader = steps[0]!.op === "decode-image" ? pictureReader(steps) : signalReader(steps);
  const reshape = stepOf(steps, "reshape");
  const datatype = made.datatype as Datatype;
  return {
    accepts: reader.accepts,
    load: reader.load,
    async run(body) {
      const { shape, data, placement } = await reader.read(body);
      const tensor: TensorValue = {
        name: input.name,
        datatype,
        shape: reshape ? fill(reshape.shape, data.length) : shape,
        data: castTo(data, datatype),
      };
      requireShape(input, tensor.shape);
      return { input: tensor, ...(placement && { placement }) };
    },
  };
}

/** What is known without a picture must fit; what varies is looked at with each. */
function requireFit(made: Made, input: TensorSpec, no: (why: string) => MusterError): void {
  const takes = `the model's input '${input.name}' is ${input.datatype} [${shapeText(input.shape)}]`;
  const gives = `makes ${made.datatype} [${shapeText(made.shape)}];`;
  if (made.datatype !== input.datatype || made.shape.length !== input.shape.length)
    throw no(`${gives} ${takes}.`);
  for (const [axis, declared] of input.shape.entries()) {
    const size = made.shape[axis]!;
    if (typeof declared !== "number" || declared === size) continue;
    if (size !== null) throw no(`${gives} ${takes}.`);
    if (axis > 0) throw no(`${gives} ${takes}: give it that size with resize, window or reshape.`);
  }
}

const fill = (shape: readonly number[], count: number): number[] => {
  const known = shape.reduce((product, size) => product * (size === -1 ? 1 : size), 1);
  if (count % known !== 0)
    throw new MusterError("media.invalid", `${count} values do not make the shape [${shape.join(", ")}].`);
  return shape.map((size) => (size === -1 ? count / known : size));
};

function requireShape(input: TensorSpec, shape: readonly number[]): void {
  try {
    checkShape(input, shape, new Map());
  } catch (cause) {
    throw new MusterError("media.invalid", (cause as Error).message, { cause });
  }
}
