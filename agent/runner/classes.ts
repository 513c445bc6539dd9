import { MusterError } from "@muster/shared/errors";
import type { TensorValue } from "./tensors/datatypes.ts";

/** Texts of one answer: each takes many times the bytes of its value. */
const MOST_TEXTS = 100_000;

/**
 * The `most` highest values of each row as texts `value:index` or `value:index:label`, highest first and the first of
 * equals before (classification extension). A tensor of one dimension is one row, any other one has its rows along the
 * first dimension.
 * @throws MusterError `inference.invalid` for more than 100,000 texts
 */
export function classesOf(
  { name, shape, data }: TensorValue,
  most: number,
  labels: readonly string[] | undefined,
): TensorValue {
  const batched = shape.length > 1;
  const rows = batched ? shape[0]! : 1;
  const width = rows === 0 ? 0 : data.length / rows;
  const count = Math.min(most, width);
  if (rows * count > MOST_TEXTS)
    throw new MusterError(
      "inference.invalid",
      `Output '${name}' would be given as ${rows * count} classes; ${MOST_TEXTS} are allowed.`,
    );
  const texts: string[] = [];
  for (let row = 0; row < rows; row++)
    for (const index of highest(data as Float32Array, row * width, width, count)) {
      const label = labels?.[index];
      texts.push(`${data[row * width + index]}:${index}${label === undefined ? "" : `:${label}`}`);
    }
  return { name, datatype: "BYTES", shape: batched ? [rows, count] : [count], data: texts };
}

/** Indexes within the row, highest value first; NaN comes last. */
function highest(data: Float32Array, start: number, width: number, count: number): number[] {
  const indexes = Array.from({ length: width }, (_, index) => index);
  const at = (index: number): number => {
    const value = data[start + index]!;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  return indexes.sort((a, b) => (at(b) > at(a) ? 1 : at(b) < at(a) ? -1 : a - b)).slice(0, count);
}
