import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { asMusterError } from "@muster/shared/errors";

/** gRPC status codes for those HTTP statuses that our errors have. */
const CODES: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  404: status.NOT_FOUND,
  409: status.ABORTED,
  413: status.RESOURCE_EXHAUSTED,
  415: status.INVALID_ARGUMENT,
  422: status.INVALID_ARGUMENT,
  499: status.CANCELLED,
  501: status.UNIMPLEMENTED,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

/**
 * An error as the status of a call: our stable code goes along as `muster-code`, and where it is known when to try
 * again, as `retry-after` (seconds) and `grpc-retry-pushback-ms` (gRPC retry design A6).
 */
export function statusOf(error: unknown, metadata: Metadata): Partial<ServiceError> {
  const { code, message, status: http, retryAfterSeconds } = asMusterError(error);
  metadata.set("muster-code", code);
  if (http === 503) {
    metadata.set("retry-after", String(retryAfterSeconds ?? 1));
    metadata.set("grpc-retry-pushback-ms", String((retryAfterSeconds ?? 1) * 1000));
  }
  return { code: CODES[http] ?? status.INTERNAL, details: message, metadata };
}
