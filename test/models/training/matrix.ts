/**
 * The three matrix products of a linear layer, on row-major data. Four rows of the long operand are folded at
 * a time, which keeps the inner loop free of most loads and stores and is what makes training in JavaScript
 * quick enough for a build step.
 */

/** out[m, p] += a[m, k] * b[k, p] */
export function multiplyAdd(
  out: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  k: number,
  p: number,
): void {
  for (let row = 0; row < m; row++) {
    foldRows(out, row * p, a, row * k, 1, b, k, p);
  }
}

/** out[k, p] += a[m, k]^T * b[m, p] */
export function multiplyTransposedAdd(
  out: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  k: number,
  p: number,
): void {
  for (let row = 0; row < k; row++) {
    foldRows(out, row * p, a, row, k, b, m, p);
  }
}

/** out[m, k] += a[m, p] * b[k, p]^T */
export function multiplyByTransposedAdd(
  out: Float32Array,
  a: Float32Array,
  b: Float32Array,
  m: number,
  k: number,
  p: number,
): void {
  for (let row = 0; row < m; row++) {
    const start = row * p;
    let column = 0;
    for (; column + 3 < k; column += 4) {
      const b0 = column * p;
      const b1 = b0 + p;
      const b2 = b1 + p;
      const b3 = b2 + p;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let i = 0; i < p; i++) {
        const value = a[start + i]!;
        s0 += value * b[b0 + i]!;
        s1 += value * b[b1 + i]!;
        s2 += value * b[b2 + i]!;
        s3 += value * b[b3 + i]!;
      }
      const at = row * k + column;
      out[at]! += s0;
      out[at + 1]! += s1;
      out[at + 2]! += s2;
      out[at + 3]! += s3;
    }
    for (; column < k; column++) {
      let sum = 0;
      for (let i = 0; i < p; i++) sum += a[start + i]! * b[column * p + i]!;
      out[row * k + column]! += sum;
    }
  }
}

/** Columns folded at a time: four rows of them and the sum stay in the first-level cache. */
const BLOCK = 1_024;

/** out[start + i] += sum over rows of a[from + row * step] * b[row, i] */
function foldRows(
  out: Float32Array,
  start: number,
  a: Float32Array,
  from: number,
  step: number,
  b: Float32Array,
  rows: number,
  p: number,
): void {
  for (let low = 0; low < p; low += BLOCK) {
    const high = Math.min(p, low + BLOCK);
    let row = 0;
    for (; row + 3 < rows; row += 4) {
      const weight = from + row * step;
      const w0 = a[weight]!;
      const w1 = a[weight + step]!;
      const w2 = a[weight + 2 * step]!;
      const w3 = a[weight + 3 * step]!;
      const b0 = row * p;
      const b1 = b0 + p;
      const b2 = b1 + p;
      const b3 = b2 + p;
      for (let i = low; i < high; i++) {
        out[start + i]! += w0 * b[b0 + i]! + w1 * b[b1 + i]! + w2 * b[b2 + i]! + w3 * b[b3 + i]!;
      }
    }
    for (; row < rows; row++) {
      const w = a[from + row * step]!;
      for (let i = low; i < high; i++) out[start + i]! += w * b[row * p + i]!;
    }
  }
}
