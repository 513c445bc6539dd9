import type { DriftWindow } from "@muster/shared/protocol/drift-window";
import type { Call, Inferred } from "../infer.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import type { FeaturePlan, ScalarBins } from "./feature-bins.ts";
import { countNonFinite, QualityCounters } from "./input-quality.ts";
import { type Moments, momentsOf, strideFor } from "./moments.ts";
import { rowsOf } from "./rows.ts";
import { readScores, type Scores, scoresOf } from "./scores.ts";

/** Part of a window that the monitor knows. */
export type Counted = Pick<DriftWindow, "samples" | "rejected" | "features" | "effective" | "inputs">;

/** Streams the features of one variant's inferences into the bins of its reference. */
export class ModelMonitor {
  readonly quality = new QualityCounters();
  readonly #plan: FeaturePlan;
  readonly #firstOutput: string;
  readonly #moments: Moments = { mean: 0, std: 0 };
  readonly #scores: Scores = { confidence: 0, entropy: 0, class: 0 };
  samples = 0;

  /** @param firstOutput its scores are known from the verdicts where a request does not ask for it */
  constructor(plan: FeaturePlan, firstOutput: string) {
    this.#plan = plan;
    this.#firstOutput = firstOutput;
  }

  observe(call: Call, inferred: Inferred): void {
    const rows = rowsOf(call, inferred);
    this.samples += rows;
    for (const input of call.request.inputs) this.#observeInput(input, rows);
    for (const [name, bins] of this.#plan.outputs) {
      const output = inferred.values.find((value) => value.name === name);
      if (output) this.#observeOutput(output, bins, rows);
      else if (name === this.#firstOutput) observeVerdicts(inferred, bins);
    }
  }

  take(): Counted {
    const bins = this.#plan.bins.map((each) => ({ feature: each.feature, ...each.take() }));
    const taken = {
      samples: this.samples,
      ...this.quality.take(),
      features: Object.fromEntries(bins.map(({ feature, counts }) => [feature, counts])),
      effective: Object.fromEntries(bins.map(({ feature, effective }) => [feature, effective])),
    };
    this.samples = 0;
    return taken;
  }

  #observeInput(tensor: TensorValue, allRows: number): void {
    const { length } = tensor.data;
    const rows = tensor.shape[0] === allRows ? allRows : 1;
    const width = length / rows;
    if (tensor.datatype === "BYTES" || width < 1) return;
    const bins = this.#plan.inputs.get(tensor.name);
    const quality = this.quality.of(tensor.name);
    const stride = strideFor(width);
    const moments = this.#moments;
    quality.rows += rows;
    for (let start = 0; start < length; start += width) {
      momentsOf(tensor, start, start + width, stride, moments);
      const { mean, std } = moments;
      if (!Number.isFinite(std) || !Number.isFinite(mean)) {
        countNonFinite(tensor, start, start + width, quality);
        continue;
      }
      if (std === 0 && width > 1) quality.constant += 1;
      bins?.mean?.add(mean);
      bins?.std?.add(std);
    }
  }

  #observeOutput(
    tensor: TensorValue,
    bins: ScalarBins<"confidence" | "entropy" | "class">,
    allRows: number,
  ): void {
    const values = scoresOf(tensor);
    if (!values || values.length === 0) return;
    const width = values.length / (tensor.shape.length === 2 ? tensor.shape[0]! : 1);
    const scores = this.#scores;
    const rows = Math.min(allRows, values.length / width);
    for (let row = 0; row < rows; row += 1) {
      readScores(values, row * width, (row + 1) * width, scores);
      if (!Number.isFinite(scores.confidence) || !Number.isFinite(scores.entropy)) continue;
      bins.confidence?.add(scores.confidence);
      bins.entropy?.add(scores.entropy);
      bins.class?.add(scores.class);
    }
  }
}

/** What verdicts know of the scores; entropy needs them all. */
function observeVerdicts({ verdicts }: Inferred, bins: ScalarBins<"confidence" | "entropy" | "class">): void {
  for (const { top } of verdicts) {
    if (!top) continue;
    bins.confidence?.add(top.score);
    bins.class?.add(top.index);
  }
}
