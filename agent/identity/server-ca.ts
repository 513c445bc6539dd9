import { timingSafeEqual } from "node:crypto";
import { request } from "node:https";
import { MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { caPinOf } from "@muster/shared/trust/join-token";
import { problemError, readBody } from "../link/response.ts";
import { asLinkError } from "../link/tls-errors.ts";
import { parseCertificate } from "./certificate.ts";

const MAX_CA_BYTES = 16_384;

/**
 * Asks the server for its CA and believes it only if it is the one that the join token names: the one request
 * that is made without knowing whom it reaches, so nothing secret is sent.
 * @returns the CA certificate, PEM
 * @throws MusterError `enrollment.pin-mismatch`, `request.unreachable`, `request.timeout`
 */
export async function fetchPinnedCa(server: string, pin: string, timeoutMs: number): Promise<string> {
  const certificate = parseCertificate(await fetchUntrusted(new URL(DEVICE_API.ca, server), timeoutMs));
  const found = Buffer.from(caPinOf(certificate.raw));
  const expected = Buffer.from(pin);
  if (found.length !== expected.length || !timingSafeEqual(found, expected))
    throw new MusterError("enrollment.pin-mismatch");
  // Whoever sits in between may put a CA of his own behind the pinned one: only what was checked is kept.
  return certificate.toString();
}

function fetchUntrusted(url: URL, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { rejectUnauthorized: false, agent: false }, (response) => {
      readBody(response, MAX_CA_BYTES)
        .then((body) => {
          if (response.statusCode === 200) resolve(body.toString("utf8"));
          else throw problemError(response.statusCode ?? 0, body.toString("utf8"));
        })
        .catch(reject);
    });
    call.setTimeout(timeoutMs, () =>
      call.destroy(new MusterError("request.timeout", `${url.origin} was silent for ${timeoutMs / 1000} s.`)),
    );
    call.on("error", (error) => reject(asLinkError(error, url.origin)));
    call.end();
  });
}
