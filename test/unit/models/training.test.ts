import assert from "node:assert/strict";
import { test } from "node:test";
import { Network, type NetworkPlan } from "../../models/training/network.ts";
import { seededRandom } from "../../models/training/random.ts";
import { crossEntropyGradient, drawBatch, networkAccuracy, train } from "../../models/training/train.ts";
import { vibration } from "../../models/vibration/family.ts";

const PLANS: Record<string, NetworkPlan> = {
  "two axes, padded stride, flatten": {
    height: 6,
    width: 5,
    offset: 0.3,
    scale: 2,
    layers: [
      { layer: "convolution", filters: 3, kernel: [3, 3], stride: [2, 2] },
      { layer: "convolution", filters: 5, kernel: [2, 3], stride: [1, 1] },
      { layer: "flatten" },
      { layer: "dense", units: 4 },
      { layer: "dense", units: 3 },
    ],
  },
  "one axis, even kernel, pooled": {
    height: 1,
    width: 23,
    offset: 0,
    scale: 1,
    layers: [
      { layer: "convolution", filters: 4, kernel: [1, 6], stride: [1, 3] },
      { layer: "convolution", filters: 6, kernel: [1, 3], stride: [1, 1] },
      { layer: "global-average-pool" },
      { layer: "dense", units: 3 },
    ],
  },
};

function loss(logits: Float32Array, labels: readonly number[]): number {
  const batch = labels.length;
  return labels.reduce((sum, label, sample) => {
    const row = Array.from({ length: logits.length / batch }, (_, c) => logits[c * batch + sample]!);
    const total = row.reduce((acc, value) => acc + Math.exp(value), 0);
    return sum + (Math.log(total) - row[label]!) / batch;
  }, 0);
}

for (const [name, plan] of Object.entries(PLANS)) {
  test(`gradients agree with finite differences: ${name}`, () => {
    const random = seededRandom(5);
    const network = new Network(plan, random);
    const labels = [0, 1, 2, 1];
    const input = Float32Array.from(
      { length: labels.length * plan.height * plan.width },
      () => 2 * random() - 1,
    );
    network.backward(crossEntropyGradient(network.forward(input, labels.length), labels), labels.length);
    const step = 2 ** -9;
    for (const { value, gradient } of network.parameters) {
      for (let i = 0; i < value.length; i++) {
        const kept = value[i]!;
        value[i] = kept + step;
        const above = loss(network.forward(input, labels.length), labels);
        value[i] = kept - step;
        const below = loss(network.forward(input, labels.length), labels);
        value[i] = kept;
        const want = (above - below) / (2 * step);
        assert.ok(Math.abs(gradient[i]! - want) < 0.003 + 0.02 * Math.abs(want), `${gradient[i]} vs ${want}`);
      }
    }
  });
}

test("the same seed draws and trains the same numbers, another seed does not", () => {
  const weights = (seed: number): Float32Array => {
    const network = new Network(vibration.plan, seededRandom(seed));
    train(network, vibration.draw, { steps: 4, batch: 4, rate: 0.01 }, seededRandom(seed + 1));
    return network.parameters[0]!.value;
  };
  assert.deepEqual(weights(1), weights(1));
  assert.notDeepEqual(weights(1), weights(2));
});

test("training lifts the accuracy above chance", () => {
  const network = new Network(vibration.plan, seededRandom(1));
  train(network, vibration.draw, { steps: 120, batch: 16, rate: 0.005 }, seededRandom(2));
  const accuracy = networkAccuracy(network, drawBatch(vibration.draw, 300, seededRandom(3)));
  assert.ok(accuracy > 2 / vibration.labels.length, `accuracy ${accuracy}`);
});
