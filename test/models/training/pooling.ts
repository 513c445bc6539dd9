import type { Layer, Shape } from "./layer.ts";

/** max(0, x) */
export class Relu implements Layer {
  readonly kind = "relu";
  readonly output: Shape;
  readonly parameters = [];
  #out = new Float32Array(0);

  constructor(input: Shape) {
    this.output = input;
  }

  forward(input: Float32Array): Float32Array {
    this.#out = new Float32Array(input.length);
    for (let i = 0; i < input.length; i++) this.#out[i] = Math.max(0, input[i]!);
    return this.#out;
  }

  backward(gradient: Float32Array): Float32Array {
    const input = new Float32Array(gradient.length);
    for (let i = 0; i < input.length; i++) input[i] = this.#out[i]! > 0 ? gradient[i]! : 0;
    return input;
  }
}

/** Mean of each channel over all its positions. */
export class GlobalAveragePool implements Layer {
  readonly kind = "global-average-pool";
  readonly output: Shape;
  readonly parameters = [];
  readonly #positions: number;

  constructor(input: Shape) {
    this.output = { channels: input.channels, height: 1, width: 1 };
    this.#positions = input.height * input.width;
  }

  forward(input: Float32Array, batch: number): Float32Array {
    const out = new Float32Array(this.output.channels * batch);
    for (let cell = 0; cell < out.length; cell++) {
      let sum = 0;
      for (let i = cell * this.#positions; i < (cell + 1) * this.#positions; i++) sum += input[i]!;
      out[cell] = sum / this.#positions;
    }
    return out;
  }

  backward(gradient: Float32Array, batch: number): Float32Array {
    const input = new Float32Array(this.output.channels * batch * this.#positions);
    for (let cell = 0; cell < gradient.length; cell++) {
      input.fill(gradient[cell]! / this.#positions, cell * this.#positions, (cell + 1) * this.#positions);
    }
    return input;
  }
}

/** Turns `[channels, batch, positions]` into `[channels * positions, batch, 1]`, the order of ONNX Flatten. */
export class Flatten implements Layer {
  readonly kind = "flatten";
  readonly output: Shape;
  readonly parameters = [];
  readonly #channels: number;
  readonly #positions: number;

  constructor(input: Shape) {
    this.#channels = input.channels;
    this.#positions = input.height * input.width;
    this.output = { channels: this.#channels * this.#positions, height: 1, width: 1 };
  }

  forward(input: Float32Array, batch: number): Float32Array {
    const out = new Float32Array(input.length);
    this.#eachCell(batch, (flat, spatial) => {
      out[flat] = input[spatial]!;
    });
    return out;
  }

  backward(gradient: Float32Array, batch: number): Float32Array {
    const input = new Float32Array(gradient.length);
    this.#eachCell(batch, (flat, spatial) => {
      input[spatial] = gradient[flat]!;
    });
    return input;
  }

  #eachCell(batch: number, visit: (flat: number, spatial: number) => void): void {
    for (let channel = 0; channel < this.#channels; channel++) {
      for (let sample = 0; sample < batch; sample++) {
        for (let position = 0; position < this.#positions; position++) {
          const flat = (channel * this.#positions + position) * batch + sample;
          visit(flat, (channel * batch + sample) * this.#positions + position);
        }
      }
    }
  }
}
