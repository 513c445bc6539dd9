import { MusterError } from "@muster/shared/errors";
import type { LoadedModel } from "./model.ts";
import { decodeBinaryData, rawElements } from "./tensors/binary.ts";
import { isDatatype, type TensorData, type TensorSpec, type TensorValue } from "./tensors/datatypes.ts";
import { decodeJsonData } from "./tensors/json.ts";
import { checkShape, shapeOfRaw } from "./tensors/shape.ts";

export interface RequestedOutput {
  readonly name: string;
  readonly binary: boolean;
}

/** An inference request that fits the model. */
export interface InferRequest {
  readonly id: string | undefined;
  /** The caller waits until the result is stored (`parameters.muster_durable`). */
  readonly durable: boolean;
  readonly inputs: readonly TensorValue[];
  readonly outputs: readonly RequestedOutput[];
}

type JsonObject = Record<string, unknown>;

const invalid = (message: string, cause?: unknown) =>
  new MusterError("inference.invalid", message, { cause });

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function objectOf(value: unknown, what: string): JsonObject {
  if (!isObject(value)) throw invalid(`${what} is not a JSON object.`);
  return value;
}

function parametersOf(holder: JsonObject, what: string): JsonObject {
  if (holder.parameters === undefined) return {};
  const parameters = objectOf(holder.parameters, `'parameters' of ${what}`);
  for (const [name, value] of Object.entries(parameters)) {
    if (!["string", "number", "boolean"].includes(typeof value))
      throw invalid(`Parameter '${name}' of ${what} is not a string, number or boolean.`);
    if (name.startsWith("shared_memory"))
      throw new MusterError("inference.unsupported", "Shared memory regions are not supported.");
  }
  return parameters;
}

function flag(parameters: JsonObject, name: string, what: string): boolean | undefined {
  const value = parameters[name];
  if (value !== undefined && typeof value !== "boolean")
    throw invalid(`Parameter '${name}' of ${what} is not true or false.`);
  return value;
}

/** Takes the binary data of one tensor after the other. */
class BinarySection {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(name: string, size: unknown): Uint8Array {
    if (!Number.isSafeInteger(size) || (size as number) < 0)
      throw invalid(`Parameter 'binary_data_size' of tensor '${name}' is not a number of bytes.`);
    const end = this.#offset + (size as number);
    if (end > this.#bytes.byteLength)
      throw invalid(`The body ends before the ${size} bytes of binary data of tensor '${name}'.`);
    const part = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return part;
  }

  end(): void {
    const rest = this.#bytes.byteLength - this.#offset;
    if (rest > 0) throw invalid(`The body has ${rest} bytes that belong to no tensor.`);
  }
}

/**
 * Reads a request body of the Open Inference Protocol v2, JSON or with the binary tensor data extension.
 * @param jsonLength value of `Inference-Header-Content-Length`; undefined without that header
 * @throws MusterError `inference.invalid` or `inference.unsupported`
 */
export function parseInferRequest(
  model: LoadedModel,
  body: Uint8Array,
  jsonLength: number | undefined,
): InferRequest {
  if (jsonLength === 0) return parseRaw(model, body);
  const length = jsonLength ?? body.byteLength;
  if (length > body.byteLength)
    throw invalid(
      `Inference-Header-Content-Length says ${length} bytes of JSON; the body has ${body.byteLength}.`,
    );
  const request = objectOf(parseJson(body.subarray(0, length)), "The request");
  if (request.id !== undefined && typeof request.id !== "string") throw invalid("'id' is not a string.");
  const parameters = parametersOf(request, "the request");
  const binary = new BinarySection(body.subarray(length));
  const inputs = parseInputs(model, request.inputs, binary);
  binary.end();
  return {
    id: request.id,
    durable: flag(parameters, "muster_durable", "the request") ?? false,
    inputs,
    outputs: parseOutputs(
      model,
      request.outputs,
      flag(parameters, "binary_data_output", "the request") ?? false,
    ),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid("The request is not JSON.", cause);
  }
}

/** A body that is the data of the only input: all outputs are given in binary. */
function parseRaw(model: LoadedModel, body: Uint8Array): InferRequest {
  const [spec, ...others] = model.inputs;
  if (!spec || others.length > 0)
    throw invalid(`A raw request fits models with one input; this one has ${model.inputs.length}.`);
  const shape = shapeOfRaw(spec, rawElements(spec.name, spec.datatype, body));
  const data = decodeBinaryData(spec.name, spec.datatype, shape, body);
  return {
    id: undefined,
    durable: false,
    inputs: [{ name: spec.name, datatype: spec.datatype, shape, data }],
    outputs: model.outputs.map(({ name }) => ({ name, binary: true })),
  };
}

function parseInputs(model: LoadedModel, value: unknown, binary: BinarySection): TensorValue[] {
  if (!Array.isArray(value)) throw invalid("The request has no list 'inputs'.");
  const symbols = new Map<string, number>();
  const seen = new Set<string>();
  const inputs = value.map((item: unknown) => {
    const tensor = objectOf(item, "An item of 'inputs'");
    const spec = model.inputs.find(({ name }) => name === tensor.name);
    if (!spec)
      throw invalid(`The model has no input '${String(tensor.name)}'; it has ${namesOf(model.inputs)}.`);
    if (seen.has(spec.name)) throw invalid(`Input '${spec.name}' is given twice.`);
    seen.add(spec.name);
    return parseInput(spec, tensor, symbols, binary);
  });
  const missing = model.inputs.filter(({ name }) => !seen.has(name));
  if (missing.length > 0) throw invalid(`The request lacks input ${namesOf(missing)}.`);
  return inputs;
}

function parseInput(
  spec: TensorSpec,
  tensor: JsonObject,
  symbols: Map<string, number>,
  binary: BinarySection,
): TensorValue {
  const { name, datatype } = spec;
  if (!isDatatype(tensor.datatype)) throw invalid(`Tensor '${name}' has no known 'datatype'.`);
  if (tensor.datatype !== datatype)
    throw invalid(`Tensor '${name}' is sent as ${tensor.datatype}; the model takes ${datatype}.`);
  const parameters = parametersOf(tensor, `tensor '${name}'`);
  const shape = checkShape(spec, tensor.shape, symbols);
  let data: TensorData;
  if (parameters.binary_data_size === undefined) {
    data = decodeJsonData(name, datatype, shape, tensor.data);
  } else {
    if (tensor.data !== undefined) throw invalid(`Tensor '${name}' has both 'data' and binary data.`);
    data = decodeBinaryData(name, datatype, shape, binary.take(name, parameters.binary_data_size));
  }
  return { name, datatype, shape, data };
}

function parseOutputs(model: LoadedModel, value: unknown, binaryByDefault: boolean): RequestedOutput[] {
  if (value !== undefined && !Array.isArray(value)) throw invalid("'outputs' is not a list.");
  if (value === undefined || value.length === 0)
    return model.outputs.map((spec) => requestOutput(spec, binaryByDefault));
  const seen = new Set<unknown>();
  return value.map((item: unknown) => {
    const output = objectOf(item, "An item of 'outputs'");
    const spec = model.outputs.find(({ name }) => name === output.name);
    if (!spec)
      throw invalid(`The model has no output '${String(output.name)}'; it has ${namesOf(model.outputs)}.`);
    if (seen.has(spec.name)) throw invalid(`Output '${spec.name}' is asked for twice.`);
    seen.add(spec.name);
    const parameters = parametersOf(output, `output '${spec.name}'`);
    if (parameters.classification !== undefined)
      throw new MusterError("inference.unsupported", "The classification extension is not supported.");
    return requestOutput(spec, flag(parameters, "binary_data", `output '${spec.name}'`) ?? binaryByDefault);
  });
}

function requestOutput({ name, datatype }: TensorSpec, binary: boolean): RequestedOutput {
  if (datatype === "FP16" && !binary)
    throw invalid(
      `Output '${name}' is FP16, which JSON cannot carry: ask for it with the parameter binary_data.`,
    );
  return { name, binary };
}

const namesOf = (specs: readonly TensorSpec[]): string => specs.map(({ name }) => `'${name}'`).join(", ");
