import type { GoldenSet, ReferenceSet } from "@muster/shared/protocol/model-evidence";
import { magnitude } from "../bad-versions/crashing.ts";
import type { ModelFamily } from "../family.ts";
import { encodeModel, type Graph } from "../onnx/graph.ts";
import { quantize } from "../quantization/qdq.ts";
import { LoadedModel } from "../runtime.ts";
import { seededRandom } from "../training/random.ts";
import { type Batch, drawBatch, type Sample } from "../training/train.ts";
import { agreement, classesOf } from "./compare.ts";
import { goldenSet } from "./golden.ts";
import { referenceSet } from "./reference.ts";

/** How many samples of each kind; no sample is in two of these sets nor in the training data. */
export interface EvidencePlan {
  readonly calibration: number;
  readonly heldOut: number;
  readonly golden: number;
}

export const EVIDENCE_PLAN: EvidencePlan = { calibration: 1_000, heldOut: 2_000, golden: 16 };

export interface VariantBuild {
  readonly precision: "int8" | "fp32";
  readonly graph: Graph;
  readonly golden: GoldenSet;
  /** Golden set of quiet inputs only: the mean magnitude of each is well below `strongMagnitude`. */
  readonly quietGolden: GoldenSet;
  readonly reference: ReferenceSet;
  /** On the held-out set, 0 to 1. */
  readonly accuracy: number;
  /** Share of the held-out set in which the class is that of the fp32 variant. */
  readonly agreement: number;
}

export interface EvidenceData {
  readonly calibration: Batch;
  readonly heldOut: Batch;
  readonly candidates: readonly Sample[];
  /** Mean magnitude that one input in three exceeds. */
  readonly strongMagnitude: number;
}

export function evidenceData(family: ModelFamily, plan: EvidencePlan): EvidenceData {
  const draw = (stream: number, count: number): Batch =>
    drawBatch(family.draw, count, seededRandom(family.seed * 1_000 + stream));
  const calibration = draw(1, plan.calibration);
  const random = seededRandom(family.seed * 1_000 + 3);
  const width = family.face.dims.reduce((product, dim) => product * dim, 1);
  const sizes = calibration.labels.map((_, row) =>
    magnitude(calibration.data.subarray(row * width, (row + 1) * width)),
  );
  return {
    calibration,
    heldOut: draw(2, plan.heldOut),
    candidates: Array.from({ length: plan.golden * 16 }, () => family.draw(random)),
    strongMagnitude: sizes.toSorted((a, b) => a - b)[Math.floor((sizes.length * 2) / 3)]!,
  };
}

/** Both variants of a float graph with their evidence, each made by running that very variant; int8 first. */
export async function buildVariants(
  family: ModelFamily,
  graph: Graph,
  data: EvidenceData,
  plan: EvidencePlan,
): Promise<VariantBuild[]> {
  const quantized = await quantize(graph, data.calibration.data, family.face.dims);
  const float = await LoadedModel.load(encodeModel(graph), family.face.dims);
  try {
    const baseline = classesOf(await float.run(data.heldOut.data), family.labels.length);
    const integer = await LoadedModel.load(encodeModel(quantized), family.face.dims);
    try {
      return [
        await examine(family, quantized, "int8", integer, data, plan, baseline),
        await examine(family, graph, "fp32", float, data, plan, baseline),
      ];
    } finally {
      await integer.close();
    }
  } finally {
    await float.close();
  }
}

async function examine(
  family: ModelFamily,
  graph: Graph,
  precision: VariantBuild["precision"],
  model: LoadedModel,
  data: EvidenceData,
  plan: EvidencePlan,
  baseline: readonly number[],
): Promise<VariantBuild> {
  const { face, labels } = family;
  const classes = classesOf(await model.run(data.heldOut.data), labels.length);
  const accuracy = agreement(classes, data.heldOut.labels);
  const calibration = data.calibration.data;
  const quiet = data.candidates.filter((sample) => magnitude(sample.data) < data.strongMagnitude * 0.95);
  return {
    precision,
    graph,
    golden: await goldenSet(model, face, precision, data.candidates, plan.golden),
    quietGolden: await goldenSet(model, face, precision, quiet, plan.golden),
    reference: referenceSet(face, calibration, await model.run(calibration), labels.length, accuracy),
    accuracy,
    agreement: agreement(classes, baseline),
  };
}
