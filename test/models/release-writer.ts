import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { GoldenSet, ReferenceSet } from "@muster/shared/protocol/model-evidence";
import { ReleaseSpec } from "@muster/shared/protocol/release-spec";
import { validate } from "@muster/shared/protocol/validate";
import type { ModelFamily } from "./family.ts";
import { encodeModel, type Graph } from "./onnx/graph.ts";

/** Short times so that a demo ends soon; a real fleet would watch a release for hours. */
const PROBATION = {
  minSeconds: 2,
  deadlineSeconds: 60,
  minInferences: 20,
  maxErrorRate: 0.02,
  maxP95Ms: 100,
  maxCrashes: 0,
} as const;

interface VariantFiles {
  readonly precision: "int8" | "fp32";
  readonly graph: Graph;
  readonly golden: GoldenSet;
  readonly reference: ReferenceSet;
}

export interface ReleaseDraft {
  readonly version: string;
  readonly description: string;
  readonly variants: readonly VariantFiles[];
  /** Version of the config component that goes with it, if any. */
  readonly thresholdsVersion?: string;
}

/** A release directory: `release.json` and the files that it names. */
export interface WrittenRelease {
  /** Name of the directory inside the output directory. */
  readonly folder: string;
  /** Bytes of each model file, in the order of the variants. */
  readonly sizes: readonly number[];
}

/** Writes `<directory>/<release>-<version>/` with the spec that `muster release create` takes. */
export async function writeRelease(
  directory: string,
  family: ModelFamily,
  draft: ReleaseDraft,
): Promise<WrittenRelease> {
  const folder = `${family.name}-${draft.version}`;
  const path = join(directory, folder);
  await mkdir(path, { recursive: true });
  const sizes: number[] = [];
  const variants = [];
  for (const { precision, graph, golden, reference } of draft.variants) {
    const stem = `${family.name}.${precision}`;
    const files = {
      model: `${stem}.onnx`,
      golden: `${stem}.golden.json`,
      reference: `${stem}.reference.json`,
    };
    const model = encodeModel(graph, { family: family.name, version: draft.version });
    sizes.push(model.length);
    await writeFile(join(path, files.model), model);
    await writeFile(join(path, files.golden), JSON.stringify(golden));
    await writeFile(join(path, files.reference), JSON.stringify(reference));
    variants.push({ id: precision, precision, requires: { providers: ["cpu"] }, ...files });
  }
  const components: ReleaseSpec["components"] = [
    {
      type: "model",
      name: family.name,
      version: draft.version,
      labels: [...family.labels],
      variants,
      serving: { pipeline: family.pipeline },
    },
  ];
  if (draft.thresholdsVersion) {
    const name = `${family.name}-thresholds`;
    await writeFile(join(path, `${name}.json`), `${JSON.stringify(family.thresholds, null, 2)}\n`);
    components.push({ type: "config", name, version: draft.thresholdsVersion, document: `${name}.json` });
  }
  const spec = {
    schema: "muster.release-spec/1",
    name: family.name,
    version: draft.version,
    description: draft.description,
    components,
    probation: PROBATION,
  };
  validate(ReleaseSpec, spec, "release.manifest-invalid");
  await writeFile(join(path, "release.json"), `${JSON.stringify(spec, null, 2)}\n`);
  return { folder, sizes };
}
