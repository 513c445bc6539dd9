/** Seeded random numbers (sfc32 by C. Doty-Humphrey) and what is drawn from them. */
export class Random {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #count = 1;
  #spare: number | undefined;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    for (let index = 0; index < 12; index += 1) this.uniform();
  }

  /** In [0, 1). */
  uniform(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  }

  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Student's t with two degrees of freedom: its tails are so heavy that it has no variance. */
  heavy(): number {
    const u = this.uniform() * (1 - 1e-9) + 5e-10;
    return (2 * u - 1) / Math.sqrt(2 * u * (1 - u));
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const list = [...items];
    for (let index = list.length - 1; index > 0; index -= 1) {
      const other = Math.floor(this.uniform() * (index + 1));
      [list[index], list[other]] = [list[other] as T, list[index] as T];
    }
    return list;
  }
}
