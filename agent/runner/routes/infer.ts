import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { ResultRecord } from "../../inference/ports.ts";
import type { Answer } from "../http.ts";
import { type InferRequest, parseInferRequest } from "../infer-request.ts";
import { encodeInferResponse, type InferResponse } from "../infer-response.ts";
import type { LoadedModel } from "../model.ts";
import type { TensorValue } from "../tensors/datatypes.ts";
import { type Verdict, verdictsOf } from "../verdict.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route, Service } from "./route.ts";

const LENGTH_HEADER = "inference-header-content-length";
/** Longest request id that is kept in results; with the row behind it the result id stays within 128. */
const MAX_ID = 112;

function jsonLengthOf(request: IncomingMessage): number | undefined {
  const value = request.headers[LENGTH_HEADER];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !/^\d{1,15}$/.test(value))
    throw new MusterError("inference.invalid", "Inference-Header-Content-Length is not a number of bytes.");
  return Number(value);
}

const infer: Handler = async (service, httpRequest, parameters) => {
  const model = findModel(service, parameters);
  const encoding = httpRequest.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    throw new MusterError(
      "inference.unsupported",
      `Bodies with content encoding ${encoding} are not supported.`,
    );
  const jsonLength = jsonLengthOf(httpRequest);
  return service.bodies.use(httpRequest, (body) =>
    answer(service, model, parseInferRequest(model, body, jsonLength)),
  );
};

async function answer(service: Service, model: LoadedModel, request: InferRequest): Promise<Answer> {
  const { latencyUs, values, verdicts, error } = await service.scheduler.run(() => compute(model, request));
  const { fallback } = model.deployment;
  for (const { ok, top } of verdicts)
    service.metrics.count({ latencyUs, ok, score: top?.score ?? null, fallback });
  const records = recordsOf(model, request, verdicts, latencyUs);
  if (request.durable) await service.results.store(records);
  else service.results.add(records);
  if (error) throw error;
  return answerOf(encodeInferResponse(model, request, values));
}

interface Computed {
  readonly latencyUs: number;
  /** In the order asked for. */
  readonly values: readonly TensorValue[];
  readonly verdicts: readonly Verdict[];
  readonly error?: MusterError;
}

/** Runs the model; its first output is computed in any case because the verdict comes from it. */
async function compute(model: LoadedModel, request: InferRequest): Promise<Computed> {
  const asked = request.outputs.map(({ name }) => name);
  const first = model.outputs[0]!.name;
  const start = process.hrtime.bigint();
  const elapsedUs = () => Number((process.hrtime.bigint() - start) / 1000n);
  try {
    const values = await model.run(request.inputs, asked.includes(first) ? asked : [...asked, first]);
    const latencyUs = elapsedUs();
    const verdicts = verdictsOf(
      values.find(({ name }) => name === first),
      model.deployment.labels,
    );
    return { latencyUs, values: values.slice(0, asked.length), verdicts };
  } catch (cause) {
    const error = asMusterError(cause, "inference.failed");
    const failure = { code: error.code, message: error.message.slice(0, 1000) };
    return { latencyUs: elapsedUs(), values: [], verdicts: [{ ok: false, top: null, failure }], error };
  }
}

/** One result for each row; with several rows the result ids are the request's with `#row` behind. */
function recordsOf(
  model: LoadedModel,
  request: InferRequest,
  verdicts: readonly Verdict[],
  latencyUs: number,
): ResultRecord[] {
  const { name, version, variant, digest, provider } = model.deployment;
  const id = request.id?.slice(0, MAX_ID) || randomUUID();
  const at = Date.now();
  return verdicts.map((verdict, row) => ({
    at,
    body: {
      id: verdicts.length === 1 ? id : `${id}#${row}`,
      model: name,
      version,
      variant,
      digest,
      provider,
      latencyUs,
      ...verdict,
    },
  }));
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
