/** Correlation is taken for no more than this: a window of one scene throughout is worth a few values. */
const MOST_CORRELATION = 0.999;

/**
 * Counts how much values that come one after the other resemble each other, by the number of their bin: frames of one
 * scene say less than as many independent ones.
 */
export class EffectiveSize {
  #count = 0;
  #sum = 0;
  #squares = 0;
  #products = 0;
  #matches = 0;
  #last = 0;

  add(bin: number): void {
    if (this.#count > 0) {
      this.#products += bin * this.#last;
      if (bin === this.#last) this.#matches += 1;
    }
    this.#count += 1;
    this.#sum += bin;
    this.#squares += bin * bin;
    this.#last = bin;
  }

  /**
   * How many independent values the values since the last call are worth: `n (1 - r) / (1 + r)`, where `r` is the
   * correlation of neighbours, of bin numbers or of bins as such, whichever is larger. Exact for the mean of a
   * first-order autoregression; values of a longer memory are worth less.
   * Source: G. V. Bayley and J. M. Hammersley, "The effective number of independent observations in an autocorrelated
   * time series", J. R. Stat. Soc. Suppl. 8 (1946).
   * @param counts of the bins, of these very values
   */
  take(counts: ArrayLike<number>): number {
    const count = this.#count;
    const correlation = Math.max(this.#ofNumbers(), this.#ofBins(counts));
    this.#count = 0;
    this.#sum = 0;
    this.#squares = 0;
    this.#products = 0;
    this.#matches = 0;
    if (count < 3) return count;
    const r = Math.min(MOST_CORRELATION, Math.max(0, correlation));
    return Math.max(1, Math.round((count * (1 - r)) / (1 + r)));
  }

  #ofNumbers(): number {
    const mean = this.#sum / this.#count;
    const variance = this.#squares / this.#count - mean * mean;
    return variance > 0 ? (this.#products / (this.#count - 1) - mean * mean) / variance : 0;
  }

  /** How much more often neighbours share a bin than chance would have it, as a share of what it could be. */
  #ofBins(counts: ArrayLike<number>): number {
    let chance = 0;
    for (let bin = 0; bin < counts.length; bin += 1) chance += ((counts[bin] ?? 0) / this.#count) ** 2;
    return chance < 1 ? (this.#matches / (this.#count - 1) - chance) / (1 - chance) : 0;
  }
}
