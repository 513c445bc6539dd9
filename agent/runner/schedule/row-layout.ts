import type { LoadedModel } from "../model.ts";
import {
  DATATYPES,
  type Datatype,
  type NumericData,
  type TensorSpec,
  type TensorValue,
} from "../tensors/datatypes.ts";

/** Most bytes that the input buffers of one model take. */
const MAX_BUFFER_BYTES = 16 * 1024 * 1024;

interface RowInput {
  readonly name: string;
  readonly datatype: Datatype;
  /** Dimensions of one row. */
  readonly shape: readonly number[];
  /** Elements of one row. */
  readonly width: number;
}

/** A model whose inputs are rows along their first dimension, and so are its outputs. */
export interface RowLayout {
  readonly inputs: readonly RowInput[];
  /** Most rows whose buffers stay within bounds. */
  readonly maxRows: number;
}

/**
 * How requests to a model can be put together: the first dimension of each input and output varies, the other ones
 * of the inputs are fixed and the elements have a fixed size. Undefined where that does not hold. It says nothing
 * about whether rows influence each other: `proveRows` does.
 */
export function rowLayoutOf({
  inputs,
  outputs,
}: Pick<LoadedModel, "inputs" | "outputs">): RowLayout | undefined {
  if (inputs.length === 0) return undefined;
  if (
    ![...inputs, ...outputs].every(
      ({ shape, datatype }) => typeof shape[0] === "string" && datatype !== "BYTES",
    )
  )
    return undefined;
  const rows = inputs.map(rowOf).filter((row) => row !== undefined);
  if (rows.length < inputs.length) return undefined;
  const bytes = rows.reduce((sum, { width, datatype }) => sum + width * DATATYPES[datatype].size, 0);
  return { inputs: rows, maxRows: Math.max(1, Math.floor(MAX_BUFFER_BYTES / Math.max(bytes, 1))) };
}

function rowOf({ name, datatype, shape: [, ...rest] }: TensorSpec): RowInput | undefined {
  const shape = rest.filter((size) => typeof size === "number");
  if (shape.length < rest.length) return undefined;
  return { name, datatype, shape, width: shape.reduce((product, size) => product * size, 1) };
}

/** Rows of a request to a model with a layout; undefined when its inputs do not agree on them. */
export function rowsOf(inputs: readonly TensorValue[]): number | undefined {
  const rows = inputs[0]?.shape[0];
  return inputs.every(({ shape }) => shape[0] === rows) ? rows : undefined;
}

/** Buffers in which the inputs of several requests become one batch, made once for the largest. */
export class RowBuffers {
  readonly #layout: RowLayout;
  readonly #buffers: readonly NumericData[];

  constructor(layout: RowLayout, maxBatch: number) {
    this.#layout = layout;
    this.#buffers = layout.inputs.map(
      ({ datatype, width }) => DATATYPES[datatype].allocate(width * maxBatch) as NumericData,
    );
  }

  /** The requests' inputs one behind the other. What was gathered before is overwritten. */
  gather(requests: readonly (readonly TensorValue[])[], rows: number): TensorValue[] {
    return this.#layout.inputs.map(({ name, datatype, shape, width }, index) => {
      const buffer = this.#buffers[index]! as Float32Array;
      let offset = 0;
      for (const inputs of requests) {
        const data = inputs.find((input) => input.name === name)!.data as Float32Array;
        buffer.set(data, offset);
        offset += data.length;
      }
      return { name, datatype, shape: [rows, ...shape], data: buffer.subarray(0, rows * width) };
    });
  }
}

/** The part of a batch's output that belongs to the rows from `first` on; its data is a view. */
export function rowsFrom(value: TensorValue, first: number, rows: number): TensorValue {
  const { name, datatype } = value;
  const [all, ...shape] = value.shape;
  const width = value.data.length / all!;
  const data = (value.data as Float32Array).subarray(first * width, (first + rows) * width);
  return { name, datatype, shape: [rows, ...shape], data };
}
