import type { LoadedModel } from "../model.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import { RowBuffers, type RowLayout, rowsFrom, rowsOf } from "./row-layout.ts";

export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** Rows that are compared with what each gives alone. */
const COMPARED = 4;

/**
 * Whether each row of a batch gives what it gives alone, within the tolerance of the golden set. A model may mix rows
 * though its shapes look like a batch: a sequence, a normalization over the batch, one scale for all rows.
 * @param samples inputs of one or more rows each
 * @returns why not, in words; undefined when they do not influence each other
 */
export async function proveRows(
  model: LoadedModel,
  layout: RowLayout,
  samples: readonly (readonly TensorValue[])[],
  tolerance: Tolerance,
): Promise<string | undefined> {
  const rows = repeatRows(samples, COMPARED);
  if (rows.length === 0) return "its golden set has no rows";
  if (rows.length > layout.maxRows) return "a few rows are too large to be put together";
  const names = model.outputs.map(({ name }) => name);
  const alone: TensorValue[][] = [];
  let together: TensorValue[];
  try {
    for (const row of rows) alone.push(await model.run(row, names));
    together = await model.run(new RowBuffers(layout, rows.length).gather(rows, rows.length), names);
  } catch (error) {
    return `it fails with one row or with ${rows.length}: ${(error as Error).message}`;
  }
  for (const value of together) {
    if (value.shape[0] !== rows.length)
      return `'${value.name}' does not have one row for each row of the input`;
    for (const [index, own] of alone.entries()) {
      const expected = own.find(({ name }) => name === value.name)!;
      if (!agree(rowsFrom(value, index, 1), expected, tolerance))
        return `a row of '${value.name}' depends on the rows beside it`;
    }
  }
  return undefined;
}

/** The rows of one request's inputs. */
function splitRows(inputs: readonly TensorValue[]): TensorValue[][] {
  const rows = rowsOf(inputs) ?? 0;
  return Array.from({ length: Math.min(rows, COMPARED) }, (_, index) =>
    inputs.map((input) => rowsFrom(input, index, 1)),
  );
}

function agree(got: TensorValue, want: TensorValue, { absolute, relative }: Tolerance): boolean {
  if (got.data.length !== want.data.length) return false;
  const wanted = want.data as ArrayLike<number | bigint>;
  for (const [index, value] of (got.data as Float32Array).entries()) {
    const expected = Number(wanted[index]);
    const found = Number(value);
    if (Object.is(found, expected)) continue;
    if (!(Math.abs(found - expected) <= absolute + relative * Math.abs(expected))) return false;
  }
  return true;
}

/**
 * So many rows, made of the samples over and over: no values are made up that the model may not bear. None where the
 * samples have none.
 */
export function repeatRows(samples: readonly (readonly TensorValue[])[], rows: number): TensorValue[][] {
  const pool = samples.flatMap(splitRows);
  if (pool.length === 0) return [];
  return Array.from({ length: rows }, (_, index) => pool[index % pool.length]!);
}
