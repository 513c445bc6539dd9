import { Agent, request } from "node:https";
import { problemError } from "@muster/agent/link/response";
import { MusterError } from "@muster/shared/errors";

/** Longest wait for an answer of the device API, milliseconds. */
const TIMEOUT_MS = 60_000;

/** The device API over connections that are kept: the handshake is paid once for many devices. */
export class DeviceApiClient {
  readonly #base: string;
  readonly #agent: Agent;

  /** @param identity the client certificate, where the address asks for one; @param ca undefined to take any */
  constructor(
    base: string,
    ca: string | undefined,
    connections: number,
    identity?: { key: string; certificate: string },
  ) {
    this.#base = base;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: connections,
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
      ...(identity ? { key: identity.key, cert: identity.certificate } : {}),
    });
  }

  /** @throws MusterError that the answer tells, or `request.unreachable` */
  ask(method: "GET" | "POST", path: string, body?: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = request(
        `${this.#base}${path}`,
        {
          method,
          agent: this.#agent,
          timeout: TIMEOUT_MS,
          ...(body === undefined ? {} : { headers: { "content-type": "application/json" } }),
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on("data", (part: Buffer) => parts.push(part));
          response.on("end", () => {
            const text = Buffer.concat(parts).toString();
            const status = response.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(text);
            else reject(problemError(status, text));
          });
        },
      );
      call.on("timeout", () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      call.on("error", (cause) =>
        reject(new MusterError("request.unreachable", `${this.#base}: ${cause.message}`, { cause })),
      );
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
