import type { IncomingMessage } from "node:http";
import { MusterError } from "@muster/shared/errors";
import { askModel } from "../ask-model.ts";
import { ConnectionGone } from "../gone.ts";
import type { Answer } from "../http.ts";
import { scheduleOf } from "../infer-parameters.ts";
import { parseInferRequest, type Schedule } from "../infer-request.ts";
import { encodeInferResponse, type InferResponse } from "../infer-response.ts";
import type { LoadedModel } from "../model.ts";
import { DATATYPES } from "../tensors/datatypes.ts";
import { findModel } from "./find-model.ts";
import { type MediaRequest, mediaParameters, mediaTypeOf, processed, readMedia } from "./media.ts";
import type { Handler, Route, Service } from "./route.ts";

const LENGTH_HEADER = "inference-header-content-length";

function jsonLengthOf(request: IncomingMessage): number | undefined {
  const value = request.headers[LENGTH_HEADER];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !/^\d{1,15}$/.test(value))
    throw new MusterError("inference.invalid", "Inference-Header-Content-Length is not a number of bytes.");
  return Number(value);
}

const infer: Handler = (service, request, parameters) => {
  const model = findModel(service, parameters);
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    throw new MusterError(
      "inference.unsupported",
      `Bodies with content encoding ${encoding} are not supported.`,
    );
  const jsonLength = jsonLengthOf(request);
  return service.bodies.use(request, (body) => answer(service, model, request, body, jsonLength), jsonLength);
};

async function answer(
  service: Service,
  model: LoadedModel,
  request: IncomingMessage,
  body: Buffer,
  jsonLength: number | undefined,
): Promise<Answer> {
  const arrivedAt = performance.now();
  const type = mediaTypeOf(request.headers["content-type"]);
  if (type !== undefined) return answerMedia(service, model, request, body, type);
  const parsed = parseInferRequest(model, body, jsonLength, service.limits);
  const gone = new ConnectionGone(request.socket);
  if (parsed.processed)
    return answerThrough(processed(model, parsed), service, model, parsed, arrivedAt, gone);
  const { values, degraded } = await askModel(service, model, parsed, arrivedAt, gone);
  return written(service, model, () => encodeInferResponse(model, parsed, values, degraded));
}

/** A picture or signal: the release says how it becomes tensors, and what the outputs become. */
async function answerMedia(
  service: Service,
  model: LoadedModel,
  request: IncomingMessage,
  body: Buffer,
  type: string,
): Promise<Answer> {
  const arrivedAt = performance.now();
  const { id, parameters } = mediaParameters(request.headers, service.limits);
  const schedule = scheduleOf(parameters);
  const durable = parameters.muster_durable === true;
  const media = await readMedia(model, type, body, { id, durable });
  const gone = new ConnectionGone(request.socket);
  return service.bodies.holdMade(bytesOf(media), () =>
    answerThrough(media, service, model, schedule, arrivedAt, gone),
  );
}

const bytesOf = ({ request: { inputs } }: MediaRequest): number =>
  inputs.reduce((sum, { datatype, data }) => sum + data.length * DATATYPES[datatype].size, 0);

/** The steps behind the model make the answer of its outputs. */
async function answerThrough(
  { request, answer }: MediaRequest,
  service: Service,
  model: LoadedModel,
  { tier, timeoutMs }: Schedule,
  arrivedAt: number,
  gone: ConnectionGone,
): Promise<Answer> {
  const asked = { ...request, tier, timeoutMs };
  const { values, degraded } = await askModel(service, model, asked, arrivedAt, gone);
  return written(service, model, () => answer(values, degraded));
}

function written({ statistics }: Service, model: LoadedModel, write: () => InferResponse): Answer {
  const startedAt = performance.now();
  const answer = answerOf(write());
  statistics.written(model, performance.now() - startedAt);
  return answer;
}

function answerOf({ json, blobs }: InferResponse): Answer {
  if (blobs.length === 0)
    return { status: 200, headers: { "content-type": "application/json" }, body: [json] };
  const headers = {
    "content-type": "application/octet-stream",
    [LENGTH_HEADER]: String(Buffer.byteLength(json, "utf8")),
  };
  return { status: 200, headers, body: [json, ...blobs] };
}

export const inferRoutes: readonly Route[] = [
  { method: "POST", path: "/v2/models/:model/infer", handle: infer },
  { method: "POST", path: "/v2/models/:model/versions/:version/infer", handle: infer },
];
