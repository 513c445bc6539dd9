import { join } from "node:path";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { ModelComponent } from "@muster/shared/protocol/release";
import type { ExternalRuntimes } from "../external/runtime.ts";
import type { Deployment, ModelDeployment } from "../inference/deployment.ts";
import { type InstalledRelease, modelsIn, type Pick } from "./installed.ts";
import { choiceOf, pickedModel } from "./release-files.ts";

export interface DeployContext {
  /** Where the files of the release are. */
  readonly folder: string;
  /** Servers of this box that stand for providers. */
  readonly runtimes: ExternalRuntimes;
}

/** A release as this device runs it, with what may stand in for each model. */
export function deploymentOf(
  release: ReleaseRef,
  installed: InstalledRelease,
  context: DeployContext,
): Deployment {
  const models = modelsIn(installed.manifest);
  return { release, models: models.map((component) => withStandIns(component, models, installed, context)) };
}

/** The candidates of a model as they would run, in the release's order. */
export const candidatesOf = (
  component: ModelComponent,
  installed: InstalledRelease,
  context: DeployContext,
): ModelDeployment[] =>
  choiceOf(installed, component).candidates.map((each) => deployed(component, each, context));

function withStandIns(
  component: ModelComponent,
  all: readonly ModelComponent[],
  installed: InstalledRelease,
  context: DeployContext,
): ModelDeployment {
  const { chosen, cascade, ladder } = choiceOf(installed, component);
  const variants = cascade
    .filter(({ variant }) => variant !== chosen.variant)
    .map((each) => deployed(component, each, context));
  const rungs = component.serving?.cascade ?? [];
  const others = rungs.flatMap((rung) => {
    const model =
      rung.use === "model" && all.find(({ name }) => name === rung.model && name !== component.name);
    return model ? [deployed(model, choiceOf(installed, model).chosen, context)] : [];
  });
  const alternatives = [...variants, ...others];
  return {
    ...deployed(component, chosen, context),
    ...(alternatives.length > 0 && { alternatives }),
    ...(ladder.length > 0 && { ladder: ladder.map((each) => deployed(component, each, context)) }),
  };
}

function deployed(
  component: ModelComponent,
  picked: Pick,
  { folder, runtimes }: DeployContext,
): ModelDeployment {
  const { files, ...model } = pickedModel(component, picked);
  const runtime = runtimes[picked.provider];
  return {
    ...model,
    digest: files.model.artifact.digest,
    modelPath: join(folder, files.model.path),
    goldenPath: join(folder, files.golden.path),
    referencePath: join(folder, files.reference.path),
    ...(runtime && { runtime }),
  };
}
