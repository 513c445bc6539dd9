/** Shares of each row of `width` scores that sum to 1. */
export function softmax(scores: Float32Array, width: number): Float32Array {
  const out = new Float32Array(scores.length);
  for (let start = 0; start < scores.length; start += width) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let at = start; at < start + width; at++) largest = Math.max(largest, scores[at]!);
    let sum = 0;
    for (let at = start; at < start + width; at++) {
      const power = Math.exp(scores[at]! - largest);
      out[at] = power;
      sum += power;
    }
    for (let at = start; at < start + width; at++) out[at] = out[at]! / sum;
  }
  return out;
}

export const sigmoid = (scores: Float32Array): Float32Array =>
  scores.map((score) => 1 / (1 + Math.exp(-score)));

export interface Best {
  readonly index: Int32Array;
  readonly score: Float32Array;
}

/** The `k` best of each row of `width` scores, best first, the first of equals first; NaN comes last. */
export function topK(scores: Float32Array, width: number, k: number): Best {
  const rows = width === 0 ? 0 : scores.length / width;
  const index = new Int32Array(rows * k);
  const score = new Float32Array(rows * k);
  for (let row = 0; row < rows; row++) {
    let filled = 0;
    for (let at = 0; at < width; at++) {
      const value = scores[row * width + at]!;
      let place = filled;
      while (place > 0 && isBetter(value, score[row * k + place - 1]!)) place -= 1;
      if (place === k) continue;
      filled = Math.min(k, filled + 1);
      for (let to = row * k + filled - 1; to > row * k + place; to--) {
        index[to] = index[to - 1]!;
        score[to] = score[to - 1]!;
      }
      index[row * k + place] = at;
      score[row * k + place] = value;
    }
  }
  return { index, score };
}

const isBetter = (value: number, than: number): boolean =>
  value > than || (Number.isNaN(than) && !Number.isNaN(value));
