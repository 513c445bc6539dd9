import type { Call, Infer, Inferred } from "../infer.ts";
import { DATATYPES, type NumericData, type TensorValue } from "../tensors/datatypes.ts";
import type { Lane } from "./batch-plan.ts";
import { rowsFrom } from "./row-layout.ts";

/** A request that blocks the thread for longer is computed in pieces, so that others come between, milliseconds. */
const LONGEST_PIECE_MS = 50;

/** Rows of a large request that are computed in one go: a full batch at least, more while that is quick. */
export function pieceOf(lane: Lane, rows: number): number {
  if (rows <= lane.maxBatch) return rows;
  const perRow = lane.predict(rows) / rows;
  return perRow * rows <= LONGEST_PIECE_MS
    ? rows
    : Math.max(lane.maxBatch, Math.floor(LONGEST_PIECE_MS / perRow));
}

/**
 * Computes a call of many rows piece by piece, each of which waits its turn. The first that fails ends it.
 * @throws MusterError what `infer` throws
 */
export async function inferInPieces(
  call: Call,
  rows: number,
  piece: number,
  infer: Infer,
): Promise<Inferred> {
  const done: Inferred[] = [];
  for (let first = 0; first < rows; first += piece) {
    const inferred = await infer(partOf(call, first, Math.min(piece, rows - first)));
    if (inferred.error) return inferred;
    done.push(inferred);
  }
  return joined(done);
}

function partOf(call: Call, first: number, rows: number): Call {
  const inputs = call.request.inputs.map((input) => rowsFrom(input, first, rows));
  return { ...call, request: { ...call.request, inputs } };
}

function joined(parts: readonly Inferred[]): Inferred {
  const sum = (of: (part: Inferred) => number) => parts.reduce((total, part) => total + of(part), 0);
  const [first] = parts;
  return {
    ...first!,
    values: first!.values.map((_, index) => joinedValue(parts.map(({ values }) => values[index]!))),
    verdicts: parts.flatMap(({ verdicts }) => verdicts),
    latencyUs: sum(({ latencyUs }) => latencyUs),
    cpuUs: sum(({ cpuUs }) => cpuUs),
    batchRows: Math.max(...parts.map(({ batchRows }) => batchRows)),
  };
}

function joinedValue(values: readonly TensorValue[]): TensorValue {
  const [first] = values;
  const [, ...rest] = first!.shape;
  const length = values.reduce((sum, { data }) => sum + data.length, 0);
  const data = DATATYPES[first!.datatype].allocate(length) as NumericData as Float32Array;
  let offset = 0;
  for (const value of values) {
    data.set(value.data as Float32Array, offset);
    offset += value.data.length;
  }
  return { ...first!, shape: [values.reduce((sum, { shape }) => sum + shape[0]!, 0), ...rest], data };
}
