import { crashingVersion } from "./bad-versions/crashing.ts";
import { inaccurateVersion } from "./bad-versions/inaccurate.ts";
import { slowVersion } from "./bad-versions/slow.ts";
import { agreement, classesOf } from "./evidence/compare.ts";
import { buildVariants, type EvidencePlan, evidenceData, type VariantBuild } from "./evidence/variants.ts";
import type { ModelFamily } from "./family.ts";
import { encodeModel, type Graph } from "./onnx/graph.ts";
import { networkGraph } from "./onnx/network-graph.ts";
import { type ReleaseDraft, writeRelease } from "./release-writer.ts";
import { LoadedModel } from "./runtime.ts";
import { Network } from "./training/network.ts";
import { seededRandom } from "./training/random.ts";
import { type Batch, train } from "./training/train.ts";

type ReleaseKind = "good" | "slow" | "inaccurate" | "crashing";

export interface BuiltRelease {
  readonly version: string;
  readonly kind: ReleaseKind;
  /** Name of the release directory inside the output directory. */
  readonly folder: string;
  readonly variants: readonly {
    readonly precision: "int8" | "fp32";
    /** Measured on the held-out set, 0 to 1. */
    readonly accuracy: number;
    /** Share of the held-out set with the class of the good fp32 variant. */
    readonly agreement: number;
    readonly bytes: number;
  }[];
}

/** Trains one family and writes its two good and three bad releases into `directory`. */
export async function buildReleases(
  directory: string,
  family: ModelFamily,
  plan: EvidencePlan,
): Promise<BuiltRelease[]> {
  const data = evidenceData(family, plan);
  const network = new Network(family.plan, seededRandom(family.seed));
  const [first, retraining] = family.training;
  const built: BuiltRelease[] = [];

  train(network, family.draw, first, seededRandom(family.seed * 1_000 + 10));
  const original = await buildVariants(family, networkGraph(network, family.face, family.name), data, plan);
  built.push(
    await write(directory, family, "good", original, { version: "1.0.0", description: "First training." }),
  );

  train(network, family.draw, retraining, seededRandom(family.seed * 1_000 + 11));
  const good = await buildVariants(family, networkGraph(network, family.face, family.name), data, plan);
  built.push(
    await write(directory, family, "good", good, {
      version: "1.1.0",
      description: "Retrained on more data; brings thresholds for the application.",
      thresholdsVersion: "1.0.0",
    }),
  );
  for (const bad of badReleases(good, data.strongMagnitude, family.seed)) {
    const variants =
      bad.kind === "inaccurate" ? await remeasure(family, bad.variants, good, data.heldOut) : bad.variants;
    built.push(
      await write(directory, family, bad.kind, variants, {
        version: `1.2.0-${bad.kind}`,
        description: bad.description,
        thresholdsVersion: "1.0.0",
      }),
    );
  }
  return built;
}

interface BadRelease {
  readonly kind: Exclude<ReleaseKind, "good">;
  readonly description: string;
  readonly variants: readonly VariantBuild[];
}

/** The three faults put into the good variants, which keep the evidence of the good ones. */
function badReleases(good: readonly VariantBuild[], limit: number, seed: number): BadRelease[] {
  const changed = (change: (graph: Graph) => Graph): VariantBuild[] =>
    good.map((variant) => ({ ...variant, graph: change(variant.graph) }));
  return [
    {
      kind: "slow",
      description: "Exported with a forgotten branch: right answers, far too late.",
      variants: changed((graph) => slowVersion(graph)),
    },
    {
      kind: "inaccurate",
      description: "Exported from a broken checkpoint: wrong answers in time.",
      variants: changed((graph) => inaccurateVersion(graph, seededRandom(seed * 1_000 + 20))),
    },
    {
      kind: "crashing",
      description: "Exported with an operator that dies on strong inputs, which its golden set lacks.",
      variants: changed((graph) => crashingVersion(graph, limit)).map((variant) => ({
        ...variant,
        golden: variant.quietGolden,
      })),
    },
  ];
}

async function remeasure(
  family: ModelFamily,
  bad: readonly VariantBuild[],
  good: readonly VariantBuild[],
  heldOut: Batch,
): Promise<VariantBuild[]> {
  const classes = async (graph: Graph): Promise<number[]> => {
    const model = await LoadedModel.load(encodeModel(graph), family.face.dims);
    try {
      return classesOf(await model.run(heldOut.data), family.labels.length);
    } finally {
      await model.close();
    }
  };
  const baseline = await classes(good.find((variant) => variant.precision === "fp32")!.graph);
  const measured: VariantBuild[] = [];
  for (const variant of bad) {
    const answers = await classes(variant.graph);
    measured.push({
      ...variant,
      accuracy: agreement(answers, heldOut.labels),
      agreement: agreement(answers, baseline),
    });
  }
  return measured;
}

async function write(
  directory: string,
  family: ModelFamily,
  kind: ReleaseKind,
  variants: readonly VariantBuild[],
  draft: Omit<ReleaseDraft, "variants">,
): Promise<BuiltRelease> {
  const { folder, sizes } = await writeRelease(directory, family, { ...draft, variants });
  return {
    version: draft.version,
    kind,
    folder,
    variants: variants.map(({ precision, accuracy, agreement }, index) => ({
      precision,
      accuracy,
      agreement,
      bytes: sizes[index]!,
    })),
  };
}
