/** The monitored scalars of one inference, by the definitions of `ReferenceSet`. */
export interface Features {
  readonly mean: number;
  /** Population standard deviation. */
  readonly std: number;
  /** Largest class probability. */
  readonly confidence: number;
  /** Shannon entropy of the class probabilities, nats. */
  readonly entropy: number;
  readonly class: number;
}

/** `probabilities` is one row of a softmax output. */
export function featuresOf(input: Float32Array, probabilities: Float32Array): Features {
  const mean = input.reduce((sum, value) => sum + value, 0) / input.length;
  const variance = input.reduce((sum, value) => sum + (value - mean) ** 2, 0) / input.length;
  const label = argMax(probabilities);
  return {
    mean,
    std: Math.sqrt(variance),
    confidence: probabilities[label]!,
    entropy: probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0),
    class: label,
  };
}

/** Index of the largest value, the first of equals. */
export const argMax = (values: Float32Array): number => values.indexOf(Math.max(...values));
