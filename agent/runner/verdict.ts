import type { ResultBody } from "@muster/shared/protocol/messages";
import type { Failure } from "@muster/shared/protocol/primitives";
import type { TensorValue } from "./tensors/datatypes.ts";

/** What one row of a request gave: the part of a result that the outputs decide. */
export type Verdict = Pick<ResultBody, "ok" | "top"> & { failure?: Failure };

const UNSCORED: Verdict = { ok: true, top: null };

/**
 * The verdict of each row: where the first output is a float vector `[N]` or a batch of them `[B, N]`, its arg max
 * with the score, else one verdict with none. A row with a NaN or infinite score has failed.
 */
export function verdictsOf(first: TensorValue | undefined, labels: readonly string[] | undefined): Verdict[] {
  if (!first || (first.datatype !== "FP32" && first.datatype !== "FP64")) return [UNSCORED];
  if (first.shape.length !== 1 && first.shape.length !== 2) return [UNSCORED];
  const width = first.shape.at(-1)!;
  const scores = first.data as Float32Array;
  if (scores.length === 0) return [UNSCORED];
  const verdicts: Verdict[] = [];
  for (let start = 0; start < scores.length; start += width)
    verdicts.push(verdictOf(scores.subarray(start, start + width), labels));
  return verdicts;
}

function verdictOf(scores: Float32Array, labels: readonly string[] | undefined): Verdict {
  let index = 0;
  for (let position = 0; position < scores.length; position++) {
    const score = scores[position]!;
    if (!Number.isFinite(score))
      return {
        ok: false,
        top: null,
        failure: { code: "inference.failed", message: `Score ${position} is ${score}.` },
      };
    if (score > scores[index]!) index = position;
  }
  const label = labels?.[index];
  return { ok: true, top: { index, score: scores[index]!, ...(label === undefined ? {} : { label }) } };
}
