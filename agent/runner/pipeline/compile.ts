import type { Pipeline } from "@muster/shared/protocol/serving/pipeline";
import type { TensorSpec, TensorValue } from "../tensors/datatypes.ts";
import { type After, compileAfter, writable } from "./after.ts";
import { type Before, compileBefore } from "./before.ts";

/** What of a model a pipeline must fit. */
export interface PipelineModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Class names by index. */
  readonly labels: readonly string[] | undefined;
}

export interface CompiledPipeline {
  /** Absent: the model takes tensors alone. */
  readonly before?: Before;
  readonly after: After;
}

/**
 * Makes a pipeline ready to run with a model.
 * @throws MusterError `pipeline.unfit` that names the step which does not fit
 */
export function compile(pipeline: Pipeline, { inputs, outputs, labels }: PipelineModel): CompiledPipeline {
  const { before, after } = pipeline;
  const hasPicture = before?.[0]?.op === "decode-image";
  return {
    ...(before && { before: compileBefore(before, inputs) }),
    after: after ? compileAfter(after, outputs, labels, hasPicture) : unchanged(outputs),
  };
}

const unchanged = (outputs: readonly TensorSpec[]): After => ({
  needs: outputs.map(({ name }) => name),
  run: (values: readonly TensorValue[]) => values.map(writable),
});
