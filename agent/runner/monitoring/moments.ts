import type { NumericData, TensorValue } from "../tensors/datatypes.ts";
import { readerOf } from "./numbers.ts";

/** Elements of one row that are looked at; of a longer row every so many. */
const MOST_ELEMENTS = 4096;

export interface Moments {
  mean: number;
  /** Population standard deviation. */
  std: number;
}

/**
 * Distance between the elements looked at of a row. It shares no factor with the row's length, so that no column
 * or channel of an image is left out throughout.
 */
export function strideFor(length: number): number {
  let stride = Math.ceil(length / MOST_ELEMENTS);
  while (stride > 1 && greatestCommonDivisor(stride, length) !== 1) stride += 1;
  return Math.max(1, stride);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * Mean and standard deviation of the elements from `start` to `end`. A NaN or infinity among those looked at makes
 * both no finite number. Deviations are taken from the first element, so that a large mean costs no digits.
 */
export function momentsOf(
  tensor: TensorValue,
  start: number,
  end: number,
  stride: number,
  into: Moments,
): void {
  const read = readerOf(tensor.datatype);
  if (!read || end <= start) {
    into.mean = Number.NaN;
    into.std = Number.NaN;
    return;
  }
  if (tensor.datatype === "FP32") floatMoments(tensor.data as Float32Array, start, end, stride, into);
  else numberMoments(tensor.data as NumericData, read, start, end, stride, into);
}

function floatMoments(data: Float32Array, start: number, end: number, stride: number, into: Moments): void {
  const first = data[start]!;
  let sum = 0;
  let squares = 0;
  for (let index = start; index < end; index += stride) {
    const deviation = data[index]! - first;
    sum += deviation;
    squares += deviation * deviation;
  }
  finish(first, sum, squares, Math.ceil((end - start) / stride), into);
}

function numberMoments(
  data: NumericData,
  read: (data: NumericData, index: number) => number,
  start: number,
  end: number,
  stride: number,
  into: Moments,
): void {
  const first = read(data, start);
  let sum = 0;
  let squares = 0;
  for (let index = start; index < end; index += stride) {
    const deviation = read(data, index) - first;
    sum += deviation;
    squares += deviation * deviation;
  }
  finish(first, sum, squares, Math.ceil((end - start) / stride), into);
}

function finish(first: number, sum: number, squares: number, count: number, into: Moments): void {
  const mean = sum / count;
  const variance = squares / count - mean * mean;
  into.mean = first + mean;
  into.std = variance < 0 ? 0 : Math.sqrt(variance);
}
