import { MusterError } from "@muster/shared/errors";
import { decodeBinaryData, encodeBinaryData } from "../runner/tensors/binary.ts";
import { isDatatype, type TensorSpec, type TensorValue } from "../runner/tensors/datatypes.ts";
import { decodeJsonData } from "../runner/tensors/json.ts";
import type { OipAnswer } from "./oip-client.ts";

const broken = (message: string, cause?: unknown) =>
  new MusterError("runtime.protocol", `The server of the external runtime ${message}`, { cause });

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parsed(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw broken("answered with something that is not JSON.", cause);
  }
  if (!isRecord(value)) throw broken("answered with something that is no JSON object.");
  return value;
}

/** What the server says went wrong. */
export function errorOf({ status, body }: OipAnswer): string {
  try {
    const { error } = JSON.parse(body.toString("utf8")) as { error?: unknown };
    if (typeof error === "string") return `${status}: ${error.slice(0, 300)}`;
  } catch {
    // Then the status has to do.
  }
  return `status ${status}`;
}

/** Inputs or outputs as the model metadata tells them. @throws MusterError `runtime.protocol` */
export function specsIn(answer: OipAnswer): { inputs: TensorSpec[]; outputs: TensorSpec[] } {
  if (answer.status !== 200) throw broken(`does not describe the model: ${errorOf(answer)}.`);
  const { inputs, outputs } = parsed(answer.body);
  return { inputs: specsOf(inputs, "inputs"), outputs: specsOf(outputs, "outputs") };
}

function specsOf(value: unknown, what: string): TensorSpec[] {
  if (!Array.isArray(value) || value.length === 0) throw broken(`describes a model without ${what}.`);
  return value.map((tensor) => {
    const { name, datatype, shape } = isRecord(tensor) ? tensor : {};
    const isShape = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= -1);
    if (typeof name !== "string" || !isDatatype(datatype) || !isShape)
      throw broken(`describes a tensor of ${what} without a usable name, datatype or shape.`);
    const dims = (shape as number[]).map((size, axis) => (size === -1 ? `${name}:${axis}` : size));
    return { name, datatype, shape: dims };
  });
}

/** The request of an inference with binary inputs and outputs. */
export function inferRequest(
  inputs: readonly TensorValue[],
  outputs: readonly string[],
): { json: string; blobs: Uint8Array[] } {
  const blobs = inputs.map(({ data }) => encodeBinaryData(data));
  const json = JSON.stringify({
    inputs: inputs.map(({ name, datatype, shape }, index) => ({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: blobs[index]!.byteLength },
    })),
    outputs: outputs.map((name) => ({ name, parameters: { binary_data: true } })),
  });
  return { json, blobs };
}

/** Outputs of an answer, in the order asked for. @throws MusterError `runtime.protocol` */
export function outputsIn(
  { headerBytes, body }: OipAnswer,
  names: readonly string[],
  specs: readonly TensorSpec[],
): TensorValue[] {
  const end = headerBytes ?? body.byteLength;
  if (!Number.isInteger(end) || end < 0 || end > body.byteLength)
    throw broken("gave a length of its JSON part that its answer does not have.");
  const { outputs } = parsed(body.subarray(0, end));
  if (!Array.isArray(outputs)) throw broken("answered without outputs.");
  let offset = end;
  const found = new Map<string, TensorValue>();
  for (const output of outputs) {
    if (!isRecord(output)) throw broken("answered with an output that is no object.");
    const size = isRecord(output.parameters) ? output.parameters.binary_data_size : undefined;
    const bytes = typeof size === "number" ? body.subarray(offset, offset + size) : undefined;
    offset += bytes ? (size as number) : 0;
    if (offset > body.byteLength) throw broken("answered with less binary data than it announced.");
    const value = outputOf(output, bytes);
    found.set(value.name, value);
  }
  return names.map((name) => {
    const value = found.get(name);
    const spec = specs.find((each) => each.name === name);
    if (!value || value.datatype !== spec?.datatype)
      throw broken(`did not answer with output '${name}' as ${spec?.datatype}.`);
    return value;
  });
}

function outputOf(output: Record<string, unknown>, bytes: Uint8Array | undefined): TensorValue {
  const { name, datatype, shape, data } = output;
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0);
  if (typeof name !== "string" || !isDatatype(datatype) || !isShape)
    throw broken("answered with an output without a usable name, datatype or shape.");
  const sizes = shape as number[];
  try {
    const values = bytes
      ? decodeBinaryData(name, datatype, sizes, bytes)
      : decodeJsonData(name, datatype, sizes, data);
    return { name, datatype, shape: sizes, data: values };
  } catch (cause) {
    throw broken(`answered with an output that is not what it says: ${(cause as Error).message}`, cause);
  }
}
