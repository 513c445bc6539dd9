import type { LoadedModel } from "../model.ts";
import { type CompiledPipeline, compile } from "./compile.ts";

const compiled = new WeakMap<LoadedModel, CompiledPipeline>();

/**
 * The pipeline of a model as its release declares it, or undefined for none.
 * @throws MusterError `pipeline.unfit`
 */
export function pipelineOf(model: LoadedModel): CompiledPipeline | undefined {
  const known = compiled.get(model);
  if (known) return known;
  const { serving, labels } = model.deployment;
  if (!serving?.pipeline) return undefined;
  const { inputs, outputs } = model;
  const made = compile(serving.pipeline, { inputs, outputs, labels });
  compiled.set(model, made);
  return made;
}

/**
 * Compiles the pipeline of a model and loads what it needs, so that a release whose pipeline does not fit never
 * serves.
 * @throws MusterError `pipeline.unfit`, `inference.unsupported`
 */
export async function preparePipeline(model: LoadedModel): Promise<void> {
  await pipelineOf(model)?.before?.load();
}
