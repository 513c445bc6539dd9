import { isDeepStrictEqual } from "node:util";
import { MusterError } from "@muster/shared/errors";
import type { ModelComponent, ReleaseManifest } from "@muster/shared/protocol/release";
import type { Rung } from "@muster/shared/protocol/serving/cascade";
import { pipelineFault } from "./pipeline-rules.ts";

/**
 * What a schema cannot say of a release.
 * @throws MusterError `release.manifest-invalid`
 */
export function requireSound(manifest: ReleaseManifest): void {
  requireDistinct(manifest);
  const models = manifest.components.filter((component) => component.type === "model");
  for (const model of models) requireServable(model, models);
}

const invalid = ({ name, version }: ModelComponent, reason: string) =>
  new MusterError("release.manifest-invalid", `Model ${name} ${version}: ${reason}`);

/** What `serving` names must be there. */
function requireServable(model: ModelComponent, models: readonly ModelComponent[]): void {
  const { batching, cascade = [], monitor, guards } = model.serving ?? {};
  if (monitor && monitor.alarmWindows > monitor.ofWindows)
    throw invalid(model, `an alarm cannot take ${monitor.alarmWindows} of ${monitor.ofWindows} windows.`);
  for (const [input, { min, max }] of Object.entries(guards?.inputs ?? {}))
    if (min !== undefined && max !== undefined && min > max)
      throw invalid(model, `the guard of input ${input} allows nothing: from ${min} to ${max}.`);
  if (batching?.maxBatch === 1 && batching.maxDelayMs)
    throw invalid(model, "maxDelayMs waits for rows that a maxBatch of 1 never takes.");
  const fault = pipelineFault(model);
  if (fault !== undefined) throw invalid(model, fault);
  const seen = new Set<string>();
  for (const rung of cascade) {
    const target = requireRung(model, rung, models);
    if (seen.has(target))
      throw invalid(model, `the cascade has ${target} twice; one rung may answer for several reasons.`);
    seen.add(target);
  }
}

/** @returns what the rung answers with, in words */
function requireRung(model: ModelComponent, rung: Rung, models: readonly ModelComponent[]): string {
  if (rung.use === "variant") {
    if (!model.variants.some(({ id }) => id === rung.variant))
      throw invalid(model, `the cascade names variant ${rung.variant}, which it does not have.`);
    return `variant ${rung.variant}`;
  }
  if (rung.use === "model") {
    const other = models.find(({ name }) => name === rung.model);
    if (rung.model === model.name || !other)
      throw invalid(model, `the cascade names model ${rung.model}, which is no other model of this release.`);
    // Its scores are answered as those of this model: the same place has to mean the same thing.
    if (!isDeepStrictEqual(other.labels, model.labels))
      throw invalid(model, `the cascade names model ${rung.model}, whose labels are others.`);
    return `model ${rung.model}`;
  }
  if (rung.use === "default") requireTensors(model, rung.outputs);
  return `the rung '${rung.use}'`;
}

function requireTensors(model: ModelComponent, tensors: Extract<Rung, { use: "default" }>["outputs"]): void {
  const names = new Set(tensors.map(({ name }) => name));
  if (names.size < tensors.length) throw invalid(model, "the default outputs have one name twice.");
  for (const { name, shape, data } of tensors) {
    const elements = shape.reduce((product, size) => product * size, 1);
    if (data.length !== elements)
      throw invalid(
        model,
        `the default of output ${name} has ${data.length} values; its shape needs ${elements}.`,
      );
  }
}

/**
 * Components, and variants within a model, are told apart by name; models by name and version.
 * @throws MusterError `release.manifest-invalid` with the name that is there twice
 */
function requireDistinct(manifest: ReleaseManifest): void {
  const twice = (names: string[]) => names.find((name, index) => names.indexOf(name) !== index);
  const component = twice(
    manifest.components.map(({ type, name, version }) =>
      type === "model" ? `${type} ${name} ${version}` : `${type} ${name}`,
    ),
  );
  if (component) throw new MusterError("release.manifest-invalid", `The ${component} is there twice.`);
  for (const each of manifest.components) {
    const variant = each.type === "model" ? twice(each.variants.map(({ id }) => id)) : undefined;
    if (variant)
      throw new MusterError(
        "release.manifest-invalid",
        `The variant ${variant} of model ${each.name} is there twice.`,
      );
  }
}
