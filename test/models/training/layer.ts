/**
 * Activations travel as `[channels, batch, height, width]`, channels first of all: a convolution over the whole
 * batch is then one matrix product, and a dense layer is a convolution of one position.
 */
export interface Shape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Trained numbers and the gradient that the last backward pass added up for them. */
export interface Parameter {
  readonly value: Float32Array;
  readonly gradient: Float32Array;
}

/** A differentiable step. `backward` must follow the `forward` of the same batch. */
export interface Layer {
  readonly output: Shape;
  readonly parameters: readonly Parameter[];
  forward(input: Float32Array, batch: number): Float32Array;
  /** Takes the loss gradient by the output, adds to the parameters' and returns that by the input. */
  backward(gradient: Float32Array, batch: number): Float32Array;
}

export const sizeOf = (shape: Shape): number => shape.channels * shape.height * shape.width;

export const parameter = (value: Float32Array): Parameter => ({
  value,
  gradient: new Float32Array(value.length),
});
