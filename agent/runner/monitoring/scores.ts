import type { TensorValue } from "../tensors/datatypes.ts";

export interface Scores {
  confidence: number;
  /** Shannon entropy, nats; scores of 0 and less count nothing. */
  entropy: number;
  /** Arg max, the first of equals. */
  class: number;
}

type Floats = Float32Array | Float64Array;

/** The tensor's scores where it is a float vector `[N]` or a batch of them `[B, N]`. */
export function scoresOf({ datatype, shape, data }: TensorValue): Floats | undefined {
  if (datatype !== "FP32" && datatype !== "FP64") return undefined;
  return shape.length === 1 || shape.length === 2 ? (data as Floats) : undefined;
}

/** Confidence, entropy and class of the scores from `start` to `end`. */
export function readScores(scores: Floats, start: number, end: number, into: Scores): void {
  let best = start;
  let entropy = 0;
  for (let index = start; index < end; index += 1) {
    const score = scores[index]!;
    if (score > scores[best]!) best = index;
    if (score > 0) entropy -= score * Math.log(score);
  }
  into.confidence = scores[best]!;
  into.entropy = entropy;
  into.class = best - start;
}
