import { catalogue, type ErrorCode, isMusterError, MusterError } from "@muster/shared/errors";
import type { Problem } from "@muster/shared/protocol/device-api";
import { mismatchText } from "@muster/shared/protocol/mismatch";
import type { FastifyError, FastifyInstance, FastifyReply } from "fastify";
import { asStorageError } from "../storage/errors.ts";

/** The error as an RFC 9457 problem document. Unforeseen errors keep their text in the log, not in the answer. */
export function problemOf(error: MusterError): Problem {
  const { meaning, remedy, retryable, status } = catalogue[error.code];
  return {
    type: `urn:muster:error:${error.code}`,
    title: meaning,
    status,
    detail: error.code === "internal.unexpected" ? meaning : error.message,
    code: error.code,
    remedy,
    retryable,
  };
}

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "request.too-large",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "request.invalid",
  FST_ERR_CTP_INVALID_JSON_BODY: "request.invalid",
  FST_ERR_CTP_EMPTY_JSON_BODY: "request.invalid",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "request.invalid",
  FST_ERR_BAD_URL: "request.invalid",
};

/** Anything that a handler or fastify itself throws, as an error of the catalogue. */
function translated(error: FastifyError | Error): MusterError {
  if (isMusterError(error)) return error;
  const { validation, validationContext, code, statusCode } = error as FastifyError;
  if (validation) {
    const part = validationContext ?? "request";
    const mismatches = validation.map((each) => ({
      message: "is not valid",
      ...each,
      instancePath: `${part}${each.instancePath}`,
    }));
    return new MusterError("request.invalid", `${mismatchText(mismatches, part)}.`);
  }
  const known = FASTIFY_CODES[code];
  if (known) return new MusterError(known, error.message);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new MusterError("request.invalid", error.message);
  return asStorageError(error);
}

/** Answers with the problem document of the error. */
export const sendProblem = (reply: FastifyReply, error: MusterError): FastifyReply =>
  reply
    .code(error.status)
    .type("application/problem+json")
    .send(JSON.stringify(problemOf(error)));

/** Makes every failure of the listener a problem document. */
export function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const muster = translated(error);
    if (muster.status >= 500) request.log.error({ err: error }, "request failed");
    if (muster.code === "request.unauthorized") reply.header("www-authenticate", 'Bearer realm="muster"');
    return sendProblem(reply, muster);
  });
}
