import type { IncomingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";
import { MusterError } from "@muster/shared/errors";
import { asLinkError } from "./tls-errors.ts";

/** PEM texts. Without `cert` and `key` the device is not yet enrolled. */
export interface TlsMaterial {
  ca: string;
  cert?: string;
  key?: string;
}

export interface DeviceRequest {
  method?: "GET" | "POST";
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  signal?: AbortSignal;
}

/** `body` must be consumed or destroyed; when the connection breaks it ends with an error. */
export interface DeviceResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: Readable;
}

export interface DeviceHttpOptions {
  /** Base URL of the device listener, `https://host:port`. */
  server: () => string;
  /** Read for each request, so that a renewed certificate is used at once. */
  tls: () => TlsMaterial;
  /** Longest silence on the socket, milliseconds. */
  timeoutMs?: number;
}

const MAX_SOCKETS = 4;
const DEFAULT_TIMEOUT_MS = 30_000;

/** HTTPS to the device listener with the device's certificate; connections are kept alive. */
export class DeviceHttp {
  readonly #options: DeviceHttpOptions;
  #agent: Agent | undefined;
  #material: TlsMaterial | undefined;

  constructor(options: DeviceHttpOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the response headers are there, whatever the status.
   * @throws MusterError `request.unreachable`, `request.timeout`, of the `certificate.` family, or what `tls` throws
   */
  async request(what: DeviceRequest): Promise<DeviceResponse> {
    const agent = this.#agentForNow();
    const url = new URL(what.path, this.#options.server());
    const timeoutMs = this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    return await new Promise((resolve, reject) => {
      let body: Readable | undefined;
      const request = httpsRequest(
        url,
        {
          method: what.method ?? "GET",
          agent,
          headers: {
            ...(what.body === undefined ? {} : { "content-length": Buffer.byteLength(what.body) }),
            ...what.headers,
          },
          ...(what.signal && { signal: what.signal }),
        },
        (response) => {
          body = response;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        },
      );
      request.setTimeout(timeoutMs, () => {
        const silent = new MusterError(
          "request.timeout",
          `${url.origin} was silent for ${timeoutMs / 1000} s.`,
        );
        body?.destroy(silent);
        request.destroy(silent);
      });
      request.on("error", (error) => reject(asLinkError(error, url.origin)));
      request.end(what.body);
    });
  }

  /** Drops kept-alive connections; running requests end with an error. */
  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  #agentForNow(): Agent {
    const material = this.#options.tls();
    const known = this.#material;
    const changed = known?.cert !== material.cert || known?.ca !== material.ca;
    if (!this.#agent || changed) {
      this.#material = material;
      this.#agent = new Agent({
        keepAlive: true,
        maxSockets: MAX_SOCKETS,
        minVersion: "TLSv1.2",
        // Said here, since NODE_TLS_REJECT_UNAUTHORIZED could otherwise say the contrary.
        rejectUnauthorized: true,
        ...material,
      });
    }
    return this.#agent;
  }
}
