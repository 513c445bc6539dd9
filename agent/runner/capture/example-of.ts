import type { ExampleHeader } from "@muster/shared/protocol/example";
import {
  encodeExample,
  MAX_EXAMPLE_OUTPUTS,
  MAX_OUTPUT_NUMBERS,
} from "@muster/shared/protocol/example-bytes";
import type { CaptureRule } from "@muster/shared/protocol/serving/capture";
import type { Observation } from "../infer.ts";
import { momentsOf } from "../monitoring/moments.ts";
import { DATATYPES, type NumericData, type TensorValue } from "../tensors/datatypes.ts";

/** One row of a tensor that has `rows` of them, or all of it where it has no such dimension. */
function rowOf(tensor: TensorValue, row: number, rows: number): TensorValue {
  if (rows === 1 || tensor.shape[0] !== rows) return tensor;
  const width = tensor.data.length / rows;
  const data = tensor.data.slice(row * width, (row + 1) * width) as TensorValue["data"];
  return { ...tensor, shape: [1, ...tensor.shape.slice(1)], data };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Bytes of a tensor; undefined for texts, which examples do not carry. */
function bytesOf({ datatype, data }: TensorValue): Uint8Array | undefined {
  if (datatype === "BYTES") return undefined;
  const { buffer, byteOffset, byteLength } = data as NumericData;
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Bytes that the inputs of one row take. */
export const inputBytes = (inputs: readonly TensorValue[], rows: number): number =>
  inputs.reduce((sum, { datatype, data, shape }) => {
    const bytes = data.length * DATATYPES[datatype].size;
    return sum + (shape[0] === rows ? bytes / rows : bytes);
  }, 0);

/** The example file of one row of an inference: a copy, since what it is made from is used again. */
export function exampleOf(
  { call, inferred, at }: Observation,
  release: string,
  keep: CaptureRule["keep"],
  row: number,
  rows: number,
): Uint8Array {
  const { name: model, version, variant, digest } = inferred.by;
  const top = inferred.verdicts[row]?.top;
  const inputs = call.request.inputs.map((tensor) => rowOf(tensor, row, rows));
  const bytes = inputs.map((tensor) => (keep === "inputs" ? bytesOf(tensor) : undefined));
  const header: ExampleHeader = {
    schema: "muster.example/1",
    release,
    model,
    version,
    variant,
    digest,
    id: call.request.id?.slice(0, 128) ?? null,
    at,
    confidence: top?.score ?? 0,
    class: top?.index ?? 0,
    label: top?.label ?? null,
    keep,
    inputs: inputs.map((tensor, index) => {
      const moments = { mean: 0, std: 0 };
      momentsOf(tensor, 0, tensor.data.length, 1, moments);
      const { name, datatype, shape } = tensor;
      return {
        name,
        datatype,
        shape: [...shape],
        bytes: bytes[index]?.byteLength ?? 0,
        mean: finite(moments.mean),
        std: finite(moments.std),
      };
    }),
    outputs: inferred.values
      .slice(0, MAX_EXAMPLE_OUTPUTS)
      .map((tensor) => rowOf(tensor, row, rows))
      .filter(
        ({ datatype, data }) =>
          (datatype === "FP32" || datatype === "FP64") && data.length <= MAX_OUTPUT_NUMBERS,
      )
      .map(({ name, datatype, shape, data }) => ({
        name,
        datatype,
        shape: [...shape],
        data: Array.from(data as Float32Array, finite),
      })),
  };
  return encodeExample(
    header,
    bytes.filter((each) => each !== undefined),
  );
}
