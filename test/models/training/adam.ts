import type { Parameter } from "./layer.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** Adam (Kingma and Ba, arXiv:1412.6980): one optimizer holds the moments of one set of parameters. */
export class Adam {
  readonly #state: { parameter: Parameter; first: Float32Array; second: Float32Array }[];
  #step = 0;

  constructor(parameters: readonly Parameter[]) {
    this.#state = parameters.map((parameter) => ({
      parameter,
      first: new Float32Array(parameter.value.length),
      second: new Float32Array(parameter.value.length),
    }));
  }

  /** Moves each parameter against its gradient and clears the gradient. */
  update(rate: number): void {
    this.#step += 1;
    const scale = (rate * Math.sqrt(1 - BETA2 ** this.#step)) / (1 - BETA1 ** this.#step);
    for (const { parameter, first, second } of this.#state) {
      const { value, gradient } = parameter;
      for (let i = 0; i < value.length; i++) {
        const slope = gradient[i]!;
        first[i] = BETA1 * first[i]! + (1 - BETA1) * slope;
        second[i] = BETA2 * second[i]! + (1 - BETA2) * slope * slope;
        value[i]! -= (scale * first[i]!) / (Math.sqrt(second[i]!) + EPSILON);
      }
      gradient.fill(0);
    }
  }
}
