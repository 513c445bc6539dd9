import { Convolution } from "./convolution.ts";
import type { Layer, Parameter, Shape } from "./layer.ts";
import { Flatten, GlobalAveragePool, Relu } from "./pooling.ts";
import type { Random } from "./random.ts";

export type NetworkLayer = Convolution | Relu | GlobalAveragePool | Flatten;

/** One step of a network as its author writes it; each convolution but the last is followed by a ReLU. */
type LayerPlan =
  | {
      readonly layer: "convolution";
      readonly filters: number;
      readonly kernel: readonly [number, number];
      readonly stride: readonly [number, number];
    }
  | { readonly layer: "global-average-pool" }
  | { readonly layer: "flatten" }
  | { readonly layer: "dense"; readonly units: number };

/** What a network is built from: one-channel input, brought to about zero mean and unit size, then a chain of layers. */
export interface NetworkPlan {
  readonly height: number;
  readonly width: number;
  /** The first layer sees `(input - offset) * scale`. */
  readonly offset: number;
  readonly scale: number;
  readonly layers: readonly LayerPlan[];
}

/** A chain of layers from one input to class logits `[classes, batch]`. */
export class Network implements Layer {
  readonly plan: NetworkPlan;
  readonly layers: readonly NetworkLayer[];
  readonly output: Shape;
  readonly parameters: readonly Parameter[];

  constructor(plan: NetworkPlan, random: Random) {
    this.plan = plan;
    const layers: NetworkLayer[] = [];
    let shape: Shape = { channels: 1, height: plan.height, width: plan.width };
    for (const [index, step] of plan.layers.entries()) {
      for (const layer of layersOf(
        step,
        shape,
        { first: index === 0, last: index === plan.layers.length - 1 },
        random,
      )) {
        layers.push(layer);
        shape = layer.output;
      }
    }
    this.layers = layers;
    this.output = shape;
    this.parameters = layers.flatMap((layer) => layer.parameters);
  }

  /** Samples lie one after the other; inputs have one channel, so this already is channels-first order. */
  forward(input: Float32Array, batch: number): Float32Array {
    const { offset, scale } = this.plan;
    const scaled = input.map((value) => (value - offset) * scale);
    return this.layers.reduce<Float32Array>((value, layer) => layer.forward(value, batch), scaled);
  }

  backward(gradient: Float32Array, batch: number): Float32Array {
    return this.layers.reduceRight<Float32Array>((value, layer) => layer.backward(value, batch), gradient);
  }
}

function layersOf(
  step: LayerPlan,
  input: Shape,
  { first, last }: { readonly first: boolean; readonly last: boolean },
  random: Random,
): NetworkLayer[] {
  if (step.layer === "global-average-pool") return [new GlobalAveragePool(input)];
  if (step.layer === "flatten") return [new Flatten(input)];
  const options =
    step.layer === "dense"
      ? { filters: step.units, kernel: [1, 1] as const, stride: [1, 1] as const, padding: [0, 0] as const }
      : { ...step, padding: [(step.kernel[0] - 1) >> 1, (step.kernel[1] - 1) >> 1] as const };
  const linear = new Convolution(input, { ...options, first }, random);
  return last ? [linear] : [linear, new Relu(linear.output)];
}
