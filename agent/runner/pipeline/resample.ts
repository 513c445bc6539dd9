/** Zero crossings of the sinc on each side. */
const CROSSINGS = 16;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Filters of one ratio of rates, one for each place that a new sample can have between two old ones. */
export class Resampler {
  readonly #up: number;
  readonly #down: number;
  readonly #reach: number;
  readonly #filters: readonly Float32Array[];

  /** @param from @param to sample rates, hertz */
  constructor(from: number, to: number) {
    const divisor = gcd(from, to);
    this.#up = to / divisor;
    this.#down = from / divisor;
    const cutoff = Math.min(1, to / from);
    this.#reach = Math.ceil(CROSSINGS / cutoff);
    this.#filters = Array.from({ length: this.#up }, (_, phase) => this.#filter(phase / this.#up, cutoff));
  }

  /** One channel at the new rate. Beyond its ends the signal is taken to go on as the rest of it weighs. */
  apply(samples: Float32Array): Float32Array {
    const out = new Float32Array(Math.ceil((samples.length * this.#up) / this.#down));
    for (let index = 0; index < out.length; index++) {
      const position = index * this.#down;
      const center = Math.floor(position / this.#up);
      const filter = this.#filters[position % this.#up]!;
      const first = Math.max(0, center - this.#reach + 1);
      const last = Math.min(samples.length - 1, center + this.#reach);
      let sum = 0;
      let weights = 0;
      for (let at = first; at <= last; at++) {
        const weight = filter[at - center + this.#reach - 1]!;
        sum += weight * samples[at]!;
        weights += weight;
      }
      out[index] = sum / weights;
    }
    return out;
  }

  /** Sinc under a Hann window around `fraction` of the way to the next sample. */
  #filter(fraction: number, cutoff: number): Float32Array {
    const width = this.#reach;
    return Float32Array.from({ length: 2 * width }, (_, index) => {
      const distance = index - width + 1 - fraction;
      const angle = Math.PI * distance * cutoff;
      const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
      return Math.abs(distance) >= width ? 0 : sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / width));
    });
  }
}
