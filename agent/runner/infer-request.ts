import type { Tier } from "@muster/shared/protocol/serving/tiers";
import {
  flag,
  invalid,
  type JsonObject,
  objectOf,
  parametersOf,
  scheduleOf,
  shown,
} from "./infer-parameters.ts";
import type { LoadedModel } from "./model.ts";
import { RememberedRequests } from "./remembered-requests.ts";
import { DEFAULT_REQUEST_LIMITS, type RequestLimits } from "./request-limits.ts";
import { decodeBinaryData, rawElements } from "./tensors/binary.ts";
import { isDatatype, type TensorData, type TensorSpec, type TensorValue } from "./tensors/datatypes.ts";
import { decodeJsonData } from "./tensors/json.ts";
import { readJson } from "./tensors/json-text.ts";
import { checkRows, checkShape, shapeOfRaw } from "./tensors/shape.ts";

export interface RequestedOutput {
  readonly name: string;
  readonly binary: boolean;
  /** Give the so many highest values of each row with their indexes and labels in place of the tensor. */
  readonly classes?: number;
}

/** An inference request that fits the model. */
export interface InferRequest {
  readonly id: string | undefined;
  /** The caller waits until the result is stored (`parameters.muster_durable`). */
  readonly durable: boolean;
  readonly inputs: readonly TensorValue[];
  readonly outputs: readonly RequestedOutput[];
}

/** How urgent a request is. */
export interface Schedule {
  readonly tier: Tier;
  /** Milliseconds from its arrival; infinite for none. */
  readonly timeoutMs: number;
}

export type ParsedRequest = InferRequest &
  Schedule & {
    /** The outputs go through the steps of the pipeline behind the model (`parameters.muster_pipeline`). */
    readonly processed?: true;
  };

const UNHURRIED: Schedule = { tier: "standard", timeoutMs: Number.POSITIVE_INFINITY };

/** Binary data of one tensor after the other. */
export interface BinarySource {
  /** @param size as the request says it @throws MusterError `inference.invalid` */
  take(name: string, size: unknown): Uint8Array;
  /** @throws MusterError `inference.invalid` when some is left */
  end(): void;
}

/** The part of a body that follows the JSON part. */
class BinarySection implements BinarySource {
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

const remembered = new RememberedRequests();

/**
 * Reads a request body of the Open Inference Protocol v2, JSON or with the binary tensor data extension. Tensors may be
 * views of the body.
 * @param jsonLength value of `Inference-Header-Content-Length`; undefined without that header
 * @throws MusterError `inference.invalid` or `inference.unsupported`
 */
export function parseInferRequest(
  model: LoadedModel,
  body: Buffer,
  jsonLength: number | undefined,
  limits: RequestLimits = DEFAULT_REQUEST_LIMITS,
): ParsedRequest {
  if (jsonLength === 0) return parseRaw(model, body, limits);
  const length = jsonLength ?? body.byteLength;
  if (length > body.byteLength)
    throw invalid(
      `Inference-Header-Content-Length says ${length} bytes of JSON; the body has ${body.byteLength}.`,
    );
  if (jsonLength === undefined)
    return parseJson(model, body, new BinarySection(body.subarray(length)), limits);
  const known = remembered.find(model, body, length);
  if (known) return known;
  const request = parseJson(
    model,
    body.subarray(0, length),
    new BinarySection(body.subarray(length)),
    limits,
  );
  remembered.keep(model, body, length, request);
  return request;
}

function parseJson(
  model: LoadedModel,
  json: Buffer,
  binary: BinarySource,
  limits: RequestLimits,
): ParsedRequest {
  const wide = model.inputs.some(({ datatype }) => datatype === "INT64" || datatype === "UINT64");
  const request = objectOf(readJson(json, limits.jsonDepth, wide), "The request");
  return parseRequestObject(model, request, binary, limits);
}

/**
 * Reads a request that is an object already, as the protocol describes it in JSON.
 * @throws MusterError `inference.invalid` or `inference.unsupported`
 */
export function parseRequestObject(
  model: LoadedModel,
  request: JsonObject,
  binary: BinarySource,
  limits: RequestLimits,
): ParsedRequest {
  const { id } = request;
  if (id !== undefined && typeof id !== "string") throw invalid("'id' is not a string.");
  if (id !== undefined && id.length > limits.idLength)
    throw invalid(`'id' has ${id.length} characters; ${limits.idLength} are allowed.`);
  const parameters = parametersOf(request, "the request", limits);
  const inputs = parseInputs(model, request.inputs, binary, limits);
  binary.end();
  const binaryOutput = flag(parameters, "binary_data_output", "the request") ?? false;
  const processed = flag(parameters, "muster_pipeline", "the request") ?? false;
  return {
    id,
    durable: flag(parameters, "muster_durable", "the request") ?? false,
    ...scheduleOf(parameters),
    ...(processed && { processed }),
    inputs,
    outputs: parseOutputs(model, request.outputs, processed || binaryOutput, limits),
  };
}

/** A body that is the data of the only input: all outputs are given in binary. */
function parseRaw(model: LoadedModel, body: Buffer, limits: RequestLimits): ParsedRequest {
  const [spec, ...others] = model.inputs;
  if (!spec || others.length > 0)
    throw invalid(`A raw request fits models with one input; this one has ${model.inputs.length}.`);
  const { name, datatype } = spec;
  const shape = shapeOfRaw(spec, rawElements(name, datatype, body));
  checkRows(spec, shape, limits.rows);
  const data = decodeBinaryData(name, datatype, shape, body, limits.elementBytes);
  return {
    id: undefined,
    durable: false,
    ...UNHURRIED,
    inputs: [{ name, datatype, shape, data }],
    outputs: model.outputs.map(({ name }) => ({ name, binary: true })),
  };
}

/** The items of a list of tensors. @throws MusterError `inference.invalid` when it is none or has too many */
function tensorsOf(value: unknown, what: string, most: number): JsonObject[] {
  if (!Array.isArray(value)) throw invalid(`The request has no list '${what}'.`);
  if (value.length > most) throw invalid(`'${what}' has ${value.length} items; ${most} are allowed.`);
  return value.map((item) => objectOf(item, `An item of '${what}'`));
}

function parseInputs(
  model: LoadedModel,
  value: unknown,
  binary: BinarySource,
  limits: RequestLimits,
): TensorValue[] {
  const symbols = new Map<string, number>();
  const seen = new Set<string>();
  const inputs = tensorsOf(value, "inputs", limits.tensors).map((tensor) => {
    const spec = model.inputs.find(({ name }) => name === tensor.name);
    if (!spec)
      throw invalid(`The model has no input ${shown(tensor.name)}; it has ${namesOf(model.inputs)}.`);
    if (seen.has(spec.name)) throw invalid(`Input '${spec.name}' is given twice.`);
    seen.add(spec.name);
    return parseInput(spec, tensor, symbols, binary, limits);
  });
  const missing = model.inputs.filter(({ name }) => !seen.has(name));
  if (missing.length > 0) throw invalid(`The request lacks input ${namesOf(missing)}.`);
  return inputs;
}

function parseInput(
  spec: TensorSpec,
  tensor: JsonObject,
  symbols: Map<string, number>,
  binary: BinarySource,
  limits: RequestLimits,
): TensorValue {
  const { name, datatype } = spec;
  if (!isDatatype(tensor.datatype)) throw invalid(`Tensor '${name}' has no known 'datatype'.`);
  if (tensor.datatype !== datatype)
    throw invalid(`Tensor '${name}' is sent as ${tensor.datatype}; the model takes ${datatype}.`);
  const parameters = parametersOf(tensor, `tensor '${name}'`, limits);
  const shape = checkShape(spec, tensor.shape, symbols, limits.rank);
  checkRows(spec, shape, limits.rows);
  let data: TensorData;
  if (parameters.binary_data_size === undefined) {
    data = decodeJsonData(name, datatype, shape, tensor.data, limits.elementBytes);
  } else {
    if (tensor.data !== undefined) throw invalid(`Tensor '${name}' has both 'data' and binary data.`);
    const bytes = binary.take(name, parameters.binary_data_size);
    data = decodeBinaryData(name, datatype, shape, bytes, limits.elementBytes);
  }
  return { name, datatype, shape, data };
}

function parseOutputs(
  model: LoadedModel,
  value: unknown,
  binaryByDefault: boolean,
  limits: RequestLimits,
): RequestedOutput[] {
  if (value === undefined || (Array.isArray(value) && value.length === 0))
    return model.outputs.map((spec) => requestOutput(spec, binaryByDefault, undefined));
  const seen = new Set<unknown>();
  return tensorsOf(value, "outputs", limits.tensors).map((output) => {
    const spec = model.outputs.find(({ name }) => name === output.name);
    if (!spec)
      throw invalid(`The model has no output ${shown(output.name)}; it has ${namesOf(model.outputs)}.`);
    if (seen.has(spec.name)) throw invalid(`Output '${spec.name}' is asked for twice.`);
    seen.add(spec.name);
    const what = `output '${spec.name}'`;
    const parameters = parametersOf(output, what, limits);
    const binary = flag(parameters, "binary_data", what) ?? binaryByDefault;
    return requestOutput(spec, binary, parameters.classification);
  });
}

/** @param classification value of that parameter; 0 and undefined ask for the tensor */
function requestOutput(
  { name, datatype }: TensorSpec,
  binary: boolean,
  classification: unknown,
): RequestedOutput {
  if (classification !== undefined && classification !== 0) {
    if (!Number.isSafeInteger(classification) || (classification as number) < 0)
      throw invalid(`Parameter 'classification' of output '${name}' is not a number of classes.`);
    if (datatype === "BYTES" || datatype === "FP16")
      throw invalid(`Output '${name}' is ${datatype}, which cannot be given as classes.`);
    return { name, binary, classes: classification as number };
  }
  if (datatype === "FP16" && !binary)
    throw invalid(
      `Output '${name}' is FP16, which JSON cannot carry: ask for it with the parameter binary_data.`,
    );
  return { name, binary };
}

const namesOf = (specs: readonly TensorSpec[]): string => specs.map(({ name }) => `'${name}'`).join(", ");
