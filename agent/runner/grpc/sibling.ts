import { isErrorCode, MusterError } from "@muster/shared/errors";
import type { Standing } from "../forward/standing.ts";
import type { Gone } from "../infer.ts";
import { invalid } from "../infer-parameters.ts";
import type { RequestLimits } from "../request-limits.ts";
import { exchange, pathOf, type Reply } from "../sibling-http.ts";
import { decodeBinaryData, encodeBinaryData } from "../tensors/binary.ts";
import { type Datatype, isDatatype } from "../tensors/datatypes.ts";
import { decodeJsonData } from "../tensors/json.ts";
import type { InferRequestMessage, InferResponseMessage } from "./messages.ts";
import { type RequestObject, requestOf } from "./request.ts";
import { contentsOf, parameterMap } from "./response.ts";

// Siblings answer over HTTP alone: one of them may be reached by a client that has one connection to another one.

/** The metadata of a sibling's model. @throws MusterError `model.not-ready`, or what the sibling answers */
export async function askMetadata(to: Standing): Promise<object> {
  const reply = await exchange(to, { method: "GET", path: pathOf(to) });
  const { status, body } = reply;
  if (status !== 200) throw refusal(reply);
  return JSON.parse(body.toString()) as object;
}

/**
 * Has a sibling's model computed: the request goes on with binary tensors, whatever it came with.
 * @param timeoutMs what the deadline of the call leaves; infinite for none
 * @throws MusterError `inference.invalid`, `model.not-ready`, or what the sibling answers
 */
export async function askSibling(
  to: Standing,
  message: InferRequestMessage,
  limits: RequestLimits,
  timeoutMs: number,
  gone: Gone,
): Promise<InferResponseMessage> {
  const request = requestOf(message, limits);
  const blobs = request.inputs.map((input, index) => message.raw_input_contents[index] ?? encoded(input));
  const json = Buffer.from(JSON.stringify(onTheWay(request, blobs, timeoutMs)));
  const reply = await exchange(
    to,
    {
      method: "POST",
      path: `${pathOf(to)}/infer`,
      body: Buffer.concat([json, ...blobs]),
      jsonLength: json.length,
    },
    gone,
  );
  const { status, headers, body } = reply;
  if (status !== 200) throw refusal(reply);
  return answerOf(
    body,
    Number(headers["inference-header-content-length"]),
    message.raw_input_contents.length > 0,
  );
}

type Input = RequestObject["inputs"][number];

function encoded({ name, datatype, shape, data }: Input): Uint8Array {
  if (!isDatatype(datatype)) throw invalid(`Tensor '${name}' has no known 'datatype'.`);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw invalid(`The shape of tensor '${name}' is not a list of integers of 0 or more.`);
  return encodeBinaryData(decodeJsonData(name, datatype, shape, data));
}

function onTheWay(
  { id, parameters, inputs, outputs }: RequestObject,
  blobs: readonly Uint8Array[],
  timeoutMs: number,
) {
  const asked = Number(parameters.timeout ?? 0);
  const left = Number.isFinite(timeoutMs) ? Math.max(1, Math.floor(timeoutMs * 1000)) : 0;
  const timeout = asked > 0 && left > 0 ? Math.min(asked, left) : asked || left;
  return {
    ...(id === undefined ? {} : { id }),
    parameters: { ...parameters, ...(timeout === 0 ? {} : { timeout }), binary_data_output: true },
    inputs: inputs.map(({ data: _, ...input }, index) => ({
      ...input,
      parameters: { ...input.parameters, binary_data_size: blobs[index]!.byteLength },
    })),
    outputs: outputs.map(({ name, parameters: { binary_data: _, ...rest } }) => ({ name, parameters: rest })),
  };
}

interface Answer {
  readonly model_name: string;
  readonly model_version: string;
  readonly id?: string;
  readonly parameters?: Record<string, string | boolean>;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: Datatype;
    readonly shape: readonly number[];
    readonly parameters: { readonly binary_data_size: number };
  }[];
}

function answerOf(body: Buffer, jsonLength: number, rawAsked: boolean): InferResponseMessage {
  const {
    model_name,
    model_version,
    id = "",
    parameters = {},
    outputs,
  } = JSON.parse(body.toString("utf8", 0, jsonLength)) as Answer;
  const raw = rawAsked || outputs.some(({ datatype }) => datatype === "FP16");
  let offset = jsonLength;
  const blobs = outputs.map(({ parameters: { binary_data_size: size } }) => {
    offset += size;
    return body.subarray(offset - size, offset);
  });
  return {
    model_name,
    model_version,
    id,
    parameters: parameterMap(parameters),
    outputs: outputs.map(({ name, datatype, shape }, index) => {
      if (raw) return { name, datatype, shape };
      const data = decodeBinaryData(name, datatype, shape, blobs[index]!);
      return { name, datatype, shape, contents: contentsOf({ name, datatype, shape, data }) };
    }),
    raw_output_contents: raw ? blobs : [],
  };
}

function refusal({ status, headers, body }: Reply): MusterError {
  const { error, code } = JSON.parse(body.toString()) as { error: string; code: string };
  const retryAfterSeconds = Number(headers["retry-after"] ?? 0);
  if (isErrorCode(code))
    return new MusterError(code, error, retryAfterSeconds > 0 ? { retryAfterSeconds } : {});
  return new MusterError("internal.unexpected", `The sibling answered ${status}: ${error}`);
}
