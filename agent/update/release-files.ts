import { MusterError } from "@muster/shared/errors";
import type { Artifact, ModelComponent, Sealed } from "@muster/shared/protocol/release";
import type { Serving } from "@muster/shared/protocol/serving/serving";
import { choiceKey, type InstalledRelease, type ModelChoice, modelsIn, type Pick } from "./installed.ts";

/** A file of a release: where it lies below the release folder, and how it is checked. */
export interface ReleaseFile {
  path: string;
  artifact: Artifact;
  kind: "model" | "golden" | "reference" | "config";
}

/** One variant of a model on one provider, with its files. */
export interface PickedModel {
  name: string;
  version: string;
  variant: string;
  provider: string;
  fallback: boolean;
  labels?: string[];
  serving?: Serving;
  minPlacement?: number;
  sealed?: Sealed;
  files: { model: ReleaseFile; golden: ReleaseFile; reference: ReleaseFile };
}

const nothingChosen = (component: ModelComponent) =>
  new MusterError("internal.unexpected", `No variant of ${component.name} was chosen.`);

export function choiceOf({ choices }: InstalledRelease, component: ModelComponent): ModelChoice {
  const choice = choices[choiceKey(component)];
  if (!choice) throw nothingChosen(component);
  return choice;
}

export function pickedModel(component: ModelComponent, picked: Pick): PickedModel {
  const variant = component.variants.find(({ id }) => id === picked.variant);
  if (!variant) throw nothingChosen(component);
  const { name, version, labels, serving } = component;
  const { minPlacement } = variant.requires;
  const folder = `models/${name}/${version}/${variant.id}`;
  return {
    ...{ name, version, ...picked },
    ...(labels && { labels }),
    ...(serving && { serving }),
    ...(minPlacement !== undefined && { minPlacement }),
    ...(variant.sealed && { sealed: variant.sealed }),
    files: {
      model: { path: `${folder}/model.onnx`, artifact: variant.model, kind: "model" },
      golden: { path: `${folder}/golden.json`, artifact: variant.golden, kind: "golden" },
      reference: { path: `${folder}/reference.json`, artifact: variant.reference, kind: "reference" },
    },
  };
}

/** Every file that this device needs of the release now, each path once. */
export function filesOf(release: InstalledRelease): ReleaseFile[] {
  const models = modelsIn(release.manifest).flatMap((component) => {
    const { candidates, cascade, chosen } = choiceOf(release, component);
    return [chosen, ...candidates, ...cascade].flatMap((each) =>
      Object.values(pickedModel(component, each).files),
    );
  });
  const configs = release.manifest.components.flatMap((component): ReleaseFile[] =>
    component.type === "config"
      ? [{ path: `config/${component.name}.json`, artifact: component.document, kind: "config" }]
      : [],
  );
  return [...new Map([...models, ...configs].map((file) => [file.path, file])).values()];
}
