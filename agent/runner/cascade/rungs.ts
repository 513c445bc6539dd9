import { MusterError } from "@muster/shared/errors";
import type { DegradeReason, Rung } from "@muster/shared/protocol/serving/cascade";
import type { ModelDeployment } from "../../inference/deployment.ts";
import type { LoadedModel } from "../model.ts";
import type { TensorSpec } from "../tensors/datatypes.ts";
import { AnswerCache } from "./answer-cache.ts";
import { type DefaultOutputs, readDefaults } from "./default-outputs.ts";

/** One way to answer below the primary variant, ready for use. */
export type LoadedRung = { readonly when: readonly DegradeReason[] } & (
  | { readonly use: "variant" | "model"; readonly model: LoadedModel }
  | { readonly use: "cache"; readonly cache: AnswerCache }
  | { readonly use: "default"; readonly outputs: DefaultOutputs }
);

/** The models that a runner serves. */
export interface Served {
  readonly all: readonly LoadedModel[];
  find(name: string, version: string | undefined): LoadedModel | undefined;
}

/** The loaded models that a model's cascade may use. */
export interface Alternatives {
  /** By the deployments of `ModelDeployment.alternatives`. */
  readonly loaded: ReadonlyMap<ModelDeployment, LoadedModel>;
  /** What the runner serves anyway. */
  readonly served: Served;
}

/**
 * Makes the rungs of a model's cascade ready, in order, without those whose alternative does not run here.
 * @throws MusterError `model.load-failed` when a rung does not fit the model
 */
export function loadRungs(primary: LoadedModel, alternatives: Alternatives): LoadedRung[] {
  return (primary.deployment.serving?.cascade ?? []).flatMap((rung) => {
    const loaded = loadRung(primary, rung, alternatives);
    return loaded ? [loaded] : [];
  });
}

function loadRung(primary: LoadedModel, rung: Rung, alternatives: Alternatives): LoadedRung | undefined {
  const { use, when } = rung;
  if (use === "cache")
    return { use, when, cache: new AnswerCache(rung.maxEntries, rung.maxAgeSeconds * 1000) };
  if (use === "default") return { use, when, outputs: defaultsOf(primary, rung.outputs) };
  const model = alternativeOf(primary, rung, alternatives);
  if (!model) return undefined;
  requireSame(primary, model, "input", primary.inputs, model.inputs);
  requireSame(primary, model, "output", primary.outputs, model.outputs);
  requireSameLabels(primary, model);
  return { use, when, model };
}

function alternativeOf(
  { deployment }: LoadedModel,
  rung: Extract<Rung, { use: "variant" | "model" }>,
  { loaded, served }: Alternatives,
): LoadedModel | undefined {
  const own = deployment.alternatives?.find(({ name, variant }) =>
    rung.use === "variant" ? name === deployment.name && variant === rung.variant : name === rung.model,
  );
  const other = rung.use === "model" ? served.find(rung.model, undefined) : undefined;
  // A stand-in has no answer of its own.
  return other && !other.deployment.standIn ? other : own && loaded.get(own);
}

const misfit = ({ deployment: { name, version } }: LoadedModel, reason: string, cause?: unknown) =>
  new MusterError("model.load-failed", `The cascade of model ${name} ${version} does not fit: ${reason}`, {
    cause,
  });

function defaultsOf(
  primary: LoadedModel,
  tensors: Extract<Rung, { use: "default" }>["outputs"],
): DefaultOutputs {
  try {
    return readDefaults(primary, tensors);
  } catch (cause) {
    throw misfit(primary, (cause as Error).message, cause);
  }
}

function requireSame(
  primary: LoadedModel,
  other: LoadedModel,
  what: string,
  own: readonly TensorSpec[],
  its: readonly TensorSpec[],
): void {
  const { name, variant } = other.deployment;
  const fits = primary.deployment.standIn ? mayFit : fitsExactly;
  const same = own.every((spec) => its.some((each) => fits(spec, each))) && own.length === its.length;
  if (!same)
    throw misfit(
      primary,
      `${name} (${variant}) does not have each ${what} with the same name, type and shape.`,
    );
}

/** The answer names classes by the labels of the primary variant: they must be those of what computed it. */
function requireSameLabels(
  primary: LoadedModel,
  { deployment: { name, variant, labels } }: LoadedModel,
): void {
  const own = primary.deployment.labels;
  if (own && labels && (own.length !== labels.length || own.some((label, index) => label !== labels[index])))
    throw misfit(primary, `${name} (${variant}) does not have the same labels in the same order.`);
}

type Size = TensorSpec["shape"][number];

const alike = (a: TensorSpec, b: TensorSpec, fit: (a: Size, b: Size) => boolean): boolean =>
  a.name === b.name &&
  a.datatype === b.datatype &&
  a.shape.length === b.shape.length &&
  a.shape.every((size, index) => fit(size, b.shape[index]!));

/** A dimension that varies in the one must vary in the other. */
const fitsExactly = (a: TensorSpec, b: TensorSpec): boolean =>
  alike(a, b, (one, other) => (typeof one === "string" ? typeof other === "string" : one === other));

/** Which dimensions of a stand-in vary is a guess from its golden set. */
const mayFit = (a: TensorSpec, b: TensorSpec): boolean =>
  alike(a, b, (one, other) => typeof one === "string" || typeof other === "string" || one === other);
