/** Spectra of real frames of one size, a power of two of 2 or more: radix 2, decimation in time, in place. */
export class Fft {
  readonly size: number;
  readonly #real: Float64Array;
  readonly #imaginary: Float64Array;
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  readonly #reversed: Uint32Array;

  constructor(size: number) {
    this.size = size;
    this.#real = new Float64Array(size);
    this.#imaginary = new Float64Array(size);
    const angle = (index: number) => (-2 * Math.PI * index) / size;
    this.#cosines = Float64Array.from({ length: size / 2 }, (_, index) => Math.cos(angle(index)));
    this.#sines = Float64Array.from({ length: size / 2 }, (_, index) => Math.sin(angle(index)));
    this.#reversed = new Uint32Array(size);
    for (let index = 1; index < size; index++)
      this.#reversed[index] = (this.#reversed[index >> 1]! >> 1) | (index & 1 ? size >> 1 : 0);
  }

  /** Squared magnitudes of bins 0 to `size / 2` into `out`. */
  power(frame: Float32Array, out: Float32Array): void {
    const { size } = this;
    const [real, imaginary] = [this.#real, this.#imaginary];
    for (let index = 0; index < size; index++) real[this.#reversed[index]!] = frame[index]!;
    imaginary.fill(0);
    for (let half = 1; half < size; half *= 2) this.#combine(half);
    for (let bin = 0; bin <= size / 2; bin++) out[bin] = real[bin]! ** 2 + imaginary[bin]! ** 2;
  }

  #combine(half: number): void {
    const [real, imaginary] = [this.#real, this.#imaginary];
    const stride = this.size / (2 * half);
    for (let start = 0; start < this.size; start += 2 * half) {
      for (let offset = 0; offset < half; offset++) {
        const [low, high] = [start + offset, start + offset + half];
        const cosine = this.#cosines[offset * stride]!;
        const sine = this.#sines[offset * stride]!;
        const re = real[high]! * cosine - imaginary[high]! * sine;
        const im = real[high]! * sine + imaginary[high]! * cosine;
        real[high] = real[low]! - re;
        imaginary[high] = imaginary[low]! - im;
        real[low] = real[low]! + re;
        imaginary[low] = imaginary[low]! + im;
      }
    }
  }
}

const LOG_FLOOR = 1e-6;

/** Spectra of frames that follow one another in `frames`, one behind the other. */
export function spectra(
  fft: Fft,
  frames: Float32Array,
  give: "magnitude" | "log-magnitude" | "power",
): Float32Array {
  const bins = fft.size / 2 + 1;
  const count = frames.length / fft.size;
  const out = new Float32Array(count * bins);
  for (let frame = 0; frame < count; frame++)
    fft.power(
      frames.subarray(frame * fft.size, (frame + 1) * fft.size),
      out.subarray(frame * bins, (frame + 1) * bins),
    );
  if (give === "power") return out;
  const isLog = give === "log-magnitude";
  for (let at = 0; at < out.length; at++) {
    const magnitude = Math.sqrt(out[at]!);
    out[at] = isLog ? Math.log(magnitude + LOG_FLOOR) : magnitude;
  }
  return out;
}
