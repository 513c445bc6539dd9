import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asLinkError } from "@muster/agent/link/tls-errors";
import { MusterError } from "@muster/shared/errors";

const table = [
  ["ECONNREFUSED", "request.unreachable"],
  ["ENOTFOUND", "request.unreachable"],
  ["ETIMEDOUT", "request.timeout"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "certificate.server-untrusted"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "certificate.server-untrusted"],
  ["CERT_NOT_YET_VALID", "certificate.server-untrusted"],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "certificate.expired"],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED", "certificate.revoked"],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "certificate.invalid"],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "certificate.invalid"],
] as const;

describe("errors of the connection", () => {
  for (const [code, expected] of table)
    it(code, () => {
      const error = asLinkError(Object.assign(new Error("it failed"), { code }), "https://host:8443");
      assert.equal(error.code, expected);
      assert.match(error.message, /^https:\/\/host:8443: it failed/);
    });

  it("keeps errors of ours and takes anything else", () => {
    const ours = new MusterError("request.timeout");
    assert.equal(asLinkError(ours, "x"), ours);
    assert.equal(asLinkError("odd", "x").code, "request.unreachable");
  });
});
