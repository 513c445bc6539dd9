import { type ErrorCode, MusterError } from "@muster/shared/errors";

const UNTRUSTED_SERVER = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "INVALID_PURPOSE",
  "INVALID_CA",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
]);

/** Alerts with which the server refuses our certificate (RFC 8446 section 6.2). */
const ALERTS: readonly (readonly [string, ErrorCode])[] = [
  ["CERTIFICATE_EXPIRED", "certificate.expired"],
  ["CERTIFICATE_REVOKED", "certificate.revoked"],
  ["CERTIFICATE_REQUIRED", "certificate.invalid"],
  ["BAD_CERTIFICATE", "certificate.invalid"],
  ["UNKNOWN_CA", "certificate.invalid"],
  ["CERTIFICATE_UNKNOWN", "certificate.invalid"],
];

/** What a socket said, as `request.unreachable`, `request.timeout` or one of the `certificate.` family. */
export function asLinkError(error: unknown, address: string): MusterError {
  if (error instanceof MusterError) return error;
  const code = String((error as NodeJS.ErrnoException).code ?? "");
  const reason = error instanceof Error && error.message ? error.message : code || String(error);
  const make = (muster: ErrorCode) =>
    new MusterError(muster, `${address}: ${reason}`.slice(0, 900), { cause: error });
  if (UNTRUSTED_SERVER.has(code)) return make("certificate.server-untrusted");
  const alert = ALERTS.find(([name]) => code.endsWith(name));
  if (code.includes("ALERT") && alert) return make(alert[1]);
  return make(code === "ETIMEDOUT" ? "request.timeout" : "request.unreachable");
}
