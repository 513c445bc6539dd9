import { type Layer, type Parameter, parameter, type Shape } from "./layer.ts";
import { multiplyAdd, multiplyByTransposedAdd, multiplyTransposedAdd } from "./matrix.ts";
import { gaussian, type Random } from "./random.ts";

/** Height and width, in this order. */
type Extent = readonly [height: number, width: number];

export interface ConvolutionOptions {
  readonly filters: number;
  readonly kernel: Extent;
  readonly stride: Extent;
  /** Zeros put on both sides of each axis. */
  readonly padding: Extent;
  /** The first layer of a network spares itself the gradient by its input, which nothing needs. */
  readonly first?: boolean;
}

/** Convolution with bias; weights `[filters, channels, height, width]` start with He's variance. */
export class Convolution implements Layer {
  readonly kind = "convolution";
  readonly input: Shape;
  readonly options: ConvolutionOptions;
  readonly output: Shape;
  readonly weights: Parameter;
  readonly bias: Parameter;
  readonly parameters: readonly Parameter[];
  readonly #fanIn: number;
  #columns = new Float32Array(0);

  constructor(input: Shape, options: ConvolutionOptions, random: Random) {
    this.input = input;
    this.options = options;
    const [kernelHeight, kernelWidth] = options.kernel;
    this.#fanIn = input.channels * kernelHeight * kernelWidth;
    this.output = {
      channels: options.filters,
      height: Math.floor((input.height + 2 * options.padding[0] - kernelHeight) / options.stride[0]) + 1,
      width: Math.floor((input.width + 2 * options.padding[1] - kernelWidth) / options.stride[1]) + 1,
    };
    const scale = Math.sqrt(2 / this.#fanIn);
    this.weights = parameter(
      Float32Array.from({ length: options.filters * this.#fanIn }, () => gaussian(random) * scale),
    );
    this.bias = parameter(new Float32Array(options.filters));
    this.parameters = [this.weights, this.bias];
  }

  forward(input: Float32Array, batch: number): Float32Array {
    const { filters } = this.options;
    const positions = batch * this.output.height * this.output.width;
    if (this.#columns.length !== this.#fanIn * positions) {
      this.#columns = new Float32Array(this.#fanIn * positions);
    }
    this.#eachRow(batch, (column, pixel, count, stride) => {
      for (let i = 0; i < count; i++) this.#columns[column + i] = input[pixel + i * stride]!;
    });
    const out = new Float32Array(filters * positions);
    for (let filter = 0; filter < filters; filter++) {
      out.fill(this.bias.value[filter]!, filter * positions, (filter + 1) * positions);
    }
    multiplyAdd(out, this.weights.value, this.#columns, filters, this.#fanIn, positions);
    return out;
  }

  backward(gradient: Float32Array, batch: number): Float32Array {
    const { filters } = this.options;
    const positions = batch * this.output.height * this.output.width;
    for (let filter = 0; filter < filters; filter++) {
      let sum = 0;
      for (let i = filter * positions; i < (filter + 1) * positions; i++) sum += gradient[i]!;
      this.bias.gradient[filter]! += sum;
    }
    multiplyByTransposedAdd(this.weights.gradient, gradient, this.#columns, filters, this.#fanIn, positions);
    if (this.options.first) return new Float32Array(0);
    const columns = new Float32Array(this.#fanIn * positions);
    multiplyTransposedAdd(columns, this.weights.value, gradient, filters, this.#fanIn, positions);
    const input = new Float32Array(this.input.channels * batch * this.input.height * this.input.width);
    this.#eachRow(batch, (column, pixel, count, stride) => {
      for (let i = 0; i < count; i++) input[pixel + i * stride]! += columns[column + i]!;
    });
    return input;
  }

  /**
   * Calls `visit` for each kernel tap and output row with the run of positions whose input pixel lies inside
   * the image: column index of the first, its pixel, their count and the pixels between two of them. What it
   * skips is padding and stays zero.
   */
  #eachRow(
    batch: number,
    visit: (column: number, pixel: number, count: number, stride: number) => void,
  ): void {
    const { input, output } = this;
    const { kernel, stride, padding } = this.options;
    let row = 0;
    for (let channel = 0; channel < input.channels; channel++) {
      for (let ky = 0; ky < kernel[0]; ky++) {
        for (let kx = 0; kx < kernel[1]; kx++) {
          const shift = kx - padding[1];
          const first = Math.max(0, Math.ceil(-shift / stride[1]));
          const last = Math.min(output.width - 1, Math.floor((input.width - 1 - shift) / stride[1]));
          for (let sample = 0; sample < batch; sample++) {
            for (let oy = 0; oy < output.height; oy++, row++) {
              const y = oy * stride[0] - padding[0] + ky;
              if (y < 0 || y >= input.height || last < first) continue;
              const line = ((channel * batch + sample) * input.height + y) * input.width;
              visit(
                row * output.width + first,
                line + first * stride[1] + shift,
                last - first + 1,
                stride[1],
              );
            }
          }
        }
      }
    }
  }
}
