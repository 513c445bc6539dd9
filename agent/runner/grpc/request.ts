import { invalid, type JsonObject } from "../infer-parameters.ts";
import { type BinarySource, type ParsedRequest, parseRequestObject } from "../infer-request.ts";
import type { LoadedModel } from "../model.ts";
import type { RequestLimits } from "../request-limits.ts";
import { type Datatype, isDatatype } from "../tensors/datatypes.ts";
import type { InferRequestMessage, ParameterMap, TensorContents } from "./messages.ts";

/** The list of contents that belongs to each datatype; FP16 has none. */
export const CONTENTS: Readonly<Partial<Record<Datatype, keyof TensorContents>>> = {
  BOOL: "bool_contents",
  INT8: "int_contents",
  INT16: "int_contents",
  INT32: "int_contents",
  INT64: "int64_contents",
  UINT8: "uint_contents",
  UINT16: "uint_contents",
  UINT32: "uint_contents",
  UINT64: "uint64_contents",
  FP32: "fp32_contents",
  FP64: "fp64_contents",
  BYTES: "bytes_contents",
};

/** Raw contents, one for each input. */
class RawContents implements BinarySource {
  readonly #raw: readonly Buffer[];
  #next = 0;

  constructor(raw: readonly Buffer[]) {
    this.#raw = raw;
  }

  take(): Uint8Array {
    this.#next += 1;
    return this.#raw[this.#next - 1]!;
  }

  end(): void {}
}

/**
 * A request that came over gRPC, checked as one over HTTP.
 * @throws MusterError `inference.invalid` or `inference.unsupported`
 */
export function parseMessage(
  model: LoadedModel,
  message: InferRequestMessage,
  limits: RequestLimits,
): ParsedRequest {
  const raw = message.raw_input_contents;
  const request = requestOf(message, limits) as unknown as JsonObject;
  const parsed = parseRequestObject(model, request, new RawContents(raw), limits);
  const binary = (asked: boolean) => raw.length > 0 || asked;
  return {
    ...parsed,
    outputs: parsed.outputs.map((output) => ({ ...output, binary: binary(output.binary) })),
  };
}

export interface RequestObject {
  readonly id?: string;
  readonly parameters: JsonObject;
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly parameters: JsonObject;
    /** Absent where the contents are raw. */
    readonly data?: readonly unknown[];
  }[];
  readonly outputs: readonly { readonly name: string; readonly parameters: JsonObject }[];
}

/** The message as the protocol writes it in JSON. @throws MusterError `inference.invalid` */
export function requestOf(message: InferRequestMessage, limits: RequestLimits): RequestObject {
  const { id, inputs, outputs, raw_input_contents: raw } = message;
  if (inputs.length > limits.tensors)
    throw invalid(`'inputs' has ${inputs.length} items; ${limits.tensors} are allowed.`);
  if (raw.length > 0 && raw.length !== inputs.length)
    throw invalid(`The request has ${inputs.length} inputs and ${raw.length} raw contents.`);
  return {
    ...(id === "" ? {} : { id }),
    parameters: valuesOf(message.parameters),
    inputs: inputs.map(({ name, datatype, shape, parameters, contents }, index) => ({
      name,
      datatype,
      shape: shape.map(Number),
      ...(raw.length > 0
        ? {
            parameters: { ...valuesOf(parameters), binary_data_size: raw[index]!.length },
            ...notBoth(name, contents),
          }
        : { parameters: withoutSize(valuesOf(parameters)), data: dataOf(name, datatype, contents) }),
    })),
    outputs: outputs.map(({ name, parameters }) => ({ name, parameters: valuesOf(parameters) })),
  };
}

/** A size of binary data means nothing here. */
const withoutSize = ({ binary_data_size: _, ...parameters }: JsonObject): JsonObject => parameters;

function valuesOf(parameters: ParameterMap): JsonObject {
  const values: JsonObject = {};
  for (const [name, { parameter_choice: choice, ...value }] of Object.entries(parameters)) {
    if (choice === undefined) throw invalid(`Parameter '${name.slice(0, 60)}' has no value.`);
    const wide = choice === "int64_param" || choice === "uint64_param";
    values[name] = wide ? Number(value[choice]) : value[choice];
  }
  return values;
}

function notBoth(name: string, contents: TensorContents | null): object {
  if (contents && Object.values(contents).some((list) => list.length > 0))
    throw invalid(`Tensor '${name}' has both contents and raw contents.`);
  return {};
}

/** The elements that the datatype's list holds; whether they are enough is for the reader to see. */
function dataOf(name: string, datatype: string, contents: TensorContents | null): readonly unknown[] {
  const list = isDatatype(datatype) ? CONTENTS[datatype] : undefined;
  if (list === undefined) return [];
  const wrong = Object.entries(contents ?? {}).find(([key, values]) => key !== list && values.length > 0);
  if (wrong)
    throw invalid(`Tensor '${name}' is ${datatype}, whose contents are ${list} and not ${wrong[0]}.`);
  const values: readonly unknown[] = contents?.[list] ?? [];
  if (list === "int64_contents" || list === "uint64_contents")
    return values.map((text) => BigInt(text as string));
  return list === "bytes_contents" ? values.map((bytes) => textOf(name, bytes as Buffer)) : values;
}

function textOf(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(`An element of tensor '${name}' is not UTF-8, the only text this runtime takes.`);
  }
}
