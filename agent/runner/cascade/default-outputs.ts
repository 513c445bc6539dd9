import { MusterError } from "@muster/shared/errors";
import type { GoldenTensor } from "@muster/shared/protocol/model-evidence";
import type { Call } from "../infer.ts";
import type { LoadedModel } from "../model.ts";
import {
  DATATYPES,
  isDatatype,
  type NumericData,
  type TensorSpec,
  type TensorValue,
} from "../tensors/datatypes.ts";
import { decodeJsonData } from "../tensors/json.ts";
import { checkShape } from "../tensors/shape.ts";

/** One output as declared: that of one row where the first dimension varies. */
interface DefaultOutput {
  readonly value: TensorValue;
  readonly perRow: boolean;
}

/** The fixed answer of a model, in the model's order of outputs. */
export type DefaultOutputs = readonly DefaultOutput[];

/**
 * Reads the default outputs of a release.
 * @throws MusterError `inference.invalid` when they are not the outputs of the model, with one row where the first
 *   dimension varies
 */
export function readDefaults(
  model: Pick<LoadedModel, "outputs">,
  tensors: readonly GoldenTensor[],
): DefaultOutputs {
  const strange = tensors.find(({ name }) => !model.outputs.some((spec) => spec.name === name));
  if (strange) throw new MusterError("inference.invalid", `The model has no output '${strange.name}'.`);
  const symbols = new Map<string, number>();
  return model.outputs.map((spec) => readDefault(spec, tensors, symbols));
}

function readDefault(
  spec: TensorSpec,
  tensors: readonly GoldenTensor[],
  symbols: Map<string, number>,
): DefaultOutput {
  const tensor = tensors.find(({ name }) => name === spec.name);
  if (!tensor) throw new MusterError("inference.invalid", `Output '${spec.name}' has no default.`);
  const { name, datatype } = spec;
  if (!isDatatype(tensor.datatype) || tensor.datatype !== datatype)
    throw new MusterError(
      "inference.invalid",
      `The default of '${name}' is ${tensor.datatype}, not ${datatype}.`,
    );
  const shape = checkShape(spec, tensor.shape, symbols);
  const perRow = typeof spec.shape[0] === "string";
  if (perRow && shape[0] !== 1)
    throw new MusterError(
      "inference.invalid",
      `The default of '${name}' has ${shape[0]} rows; it is that of one row.`,
    );
  return {
    value: { name, datatype, shape, data: decodeJsonData(name, datatype, shape, tensor.data) },
    perRow,
  };
}

/** The default answer to a call: every output, repeated for the rows of its inputs. */
export function defaultsFor(defaults: DefaultOutputs, { model, request }: Call): TensorValue[] {
  const varying = request.inputs.find(
    ({ name }) => typeof model.inputs.find((spec) => spec.name === name)?.shape[0] === "string",
  );
  const rows = varying?.shape[0] ?? 1;
  return defaults.map(({ value, perRow }) => (perRow && rows !== 1 ? repeated(value, rows) : value));
}

function repeated(value: TensorValue, rows: number): TensorValue {
  const [, ...rest] = value.shape;
  const row = value.data as NumericData as Float32Array;
  const data = DATATYPES[value.datatype].allocate(row.length * rows) as Float32Array;
  for (let index = 0; index < rows; index++) data.set(row, index * row.length);
  return { ...value, shape: [rows, ...rest], data };
}
