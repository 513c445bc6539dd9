import { request } from "node:http";
import { connect, type TLSSocket } from "node:tls";
import { MusterError } from "@muster/shared/errors";
import { ENROLL_EXPORTER } from "@muster/shared/trust/activation";
import type { TlsMaterial } from "./device-http.ts";
import { problemError, readBody } from "./response.ts";
import { asLinkError } from "./tls-errors.ts";

export interface BoundRequest {
  /** Base URL of the device listener, `https://host:port`. */
  server: string;
  path: string;
  tls: TlsMaterial;
  /** Longest silence, milliseconds. */
  timeoutMs: number;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Posts JSON over a connection of its own, made for this one request: the body may prove that its sender stands at the
 * end of this very connection. TLS 1.3 only, since keying material of earlier versions can be shared by two connections
 * (RFC 7627).
 * @param bodyOf gets the keying material of the connection (`ENROLL_EXPORTER`)
 * @returns the text of a successful answer
 * @throws MusterError that the answer tells, or of the families `request.` and `certificate.`
 */
export async function postBound(what: BoundRequest, bodyOf: (exporter: Buffer) => unknown): Promise<string> {
  const url = new URL(what.path, what.server);
  const socket = await open(url, what);
  try {
    const { bytes, label } = ENROLL_EXPORTER;
    const exporter = socket.exportKeyingMaterial(bytes, label, Buffer.alloc(0));
    return await post(socket, url, JSON.stringify(bodyOf(exporter)));
  } finally {
    socket.destroy();
  }
}

function open(url: URL, { tls, timeoutMs }: BoundRequest): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      minVersion: "TLSv1.3",
      // Said here, since NODE_TLS_REJECT_UNAUTHORIZED could otherwise say the contrary.
      rejectUnauthorized: true,
      ...tls,
    });
    socket.setTimeout(timeoutMs, () =>
      socket.destroy(
        new MusterError("request.timeout", `${url.origin} was silent for ${timeoutMs / 1000} s.`),
      ),
    );
    socket.on("error", (error) => reject(asLinkError(error, url.origin)));
    socket.once("secureConnect", () => resolve(socket));
  });
}

function post(socket: TLSSocket, url: URL, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        createConnection: () => socket,
        method: "POST",
        path: url.pathname,
        headers: {
          host: url.host,
          "content-type": "application/json",
          accept: "application/json",
          "content-length": Buffer.byteLength(body),
        },
      },
      (response) => {
        readBody(response, MAX_ANSWER_BYTES)
          .then((bytes) => {
            const text = bytes.toString("utf8");
            if (response.statusCode === 200) resolve(text);
            else throw problemError(response.statusCode ?? 0, text);
          })
          .catch(reject);
      },
    );
    call.on("error", (error) => reject(asLinkError(error, url.origin)));
    call.end(body);
  });
}
