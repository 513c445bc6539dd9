/** Keeps what does not vary at 0 in place of dividing by nothing. */
const MIN_STD = 1e-6;

/** Brings each run of `size` values to mean 0 and standard deviation 1, in place. */
export function standardize(data: Float32Array, size: number): Float32Array {
  for (let start = 0; start < data.length; start += size) {
    const part = data.subarray(start, start + size);
    let sum = 0;
    for (const value of part) sum += value;
    const mean = sum / part.length;
    let squares = 0;
    for (const value of part) squares += (value - mean) ** 2;
    const std = Math.max(MIN_STD, Math.sqrt(squares / part.length));
    for (let at = 0; at < part.length; at++) part[at] = (part[at]! - mean) / std;
  }
  return data;
}
