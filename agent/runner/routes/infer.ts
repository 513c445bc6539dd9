import type { IncomingMessage } from "node:http";
import { MusterError } from "@muster/shared/errors";
import type { Answer } from "../http.ts";
import type { Call } from "../infer.ts";
import { parseInferRequest } from "../infer-request.ts";
import { encodeInferResponse, type InferResponse } from "../infer-response.ts";
import { findModel } from "./find-model.ts";
import type { Handler, Route, Service } from "./route.ts";

const LENGTH_HEADER = "inference-header-content-length";

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
  const receivedAt = performance.now();
  const gone = new AbortController();
  httpRequest.socket.once("close", () => gone.abort());
  return service.bodies.use(httpRequest, (body) =>
    answer(service, {
      model,
      request: parseInferRequest(model, body, jsonLength),
      tier: "standard",
      receivedAt,
      deadlineAt: Number.POSITIVE_INFINITY,
      signal: gone.signal,
    }),
  );
};

async function answer(service: Service, call: Call): Promise<Answer> {
  const { values, error } = await service.infer(call);
  if (error) throw error;
  return answerOf(encodeInferResponse(call.model, call.request, values));
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
