import { Adam } from "./adam.ts";
import { sizeOf } from "./layer.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";

/** One labelled measurement: `data` is a whole input of the model without its batch dimension. */
export interface Sample {
  readonly data: Float32Array;
  readonly label: number;
}

export interface TrainingPlan {
  readonly steps: number;
  readonly batch: number;
  /** Learning rate at the start; it falls to zero along half a cosine. */
  readonly rate: number;
}

/** Samples packed for one forward pass. */
export interface Batch {
  readonly data: Float32Array;
  readonly labels: readonly number[];
}

/** Trains in place; every batch is drawn anew, so that the network sees no sample twice. */
export function train(
  network: Network,
  draw: (random: Random) => Sample,
  plan: TrainingPlan,
  random: Random,
): void {
  const optimizer = new Adam(network.parameters);
  for (let step = 0; step < plan.steps; step++) {
    const { data, labels } = drawBatch(draw, plan.batch, random);
    const logits = network.forward(data, plan.batch);
    network.backward(crossEntropyGradient(logits, labels), plan.batch);
    optimizer.update((plan.rate / 2) * (1 + Math.cos((Math.PI * step) / plan.steps)));
  }
}

export function drawBatch(draw: (random: Random) => Sample, count: number, random: Random): Batch {
  return packBatch(Array.from({ length: count }, () => draw(random)));
}

function packBatch(samples: readonly Sample[]): Batch {
  const width = samples[0]?.data.length ?? 0;
  const data = new Float32Array(samples.length * width);
  for (const [index, sample] of samples.entries()) data.set(sample.data, index * width);
  return { data, labels: samples.map((sample) => sample.label) };
}

/** Gradient of the mean softmax cross entropy by the logits `[classes, batch]`. */
export function crossEntropyGradient(logits: Float32Array, labels: readonly number[]): Float32Array {
  const batch = labels.length;
  const classes = logits.length / batch;
  const gradient = new Float32Array(logits.length);
  for (let sample = 0; sample < batch; sample++) {
    let peak = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) peak = Math.max(peak, logits[c * batch + sample]!);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp(logits[c * batch + sample]! - peak);
    for (let c = 0; c < classes; c++) {
      const at = c * batch + sample;
      const share = Math.exp(logits[at]! - peak) / sum;
      gradient[at] = (share - (labels[sample] === c ? 1 : 0)) / batch;
    }
  }
  return gradient;
}

/** Share of samples whose largest logit is the labelled class, 0 to 1. */
export function networkAccuracy(network: Network, { data, labels }: Batch): number {
  const logits = network.forward(data, labels.length);
  const classes = sizeOf(network.output);
  const right = labels.filter((label, sample) => {
    for (let c = 0; c < classes; c++) {
      if (logits[c * labels.length + sample]! > logits[label * labels.length + sample]!) return false;
    }
    return true;
  });
  return right.length / labels.length;
}
