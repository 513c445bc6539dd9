import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { asMusterError, isMusterError } from "@muster/shared/errors";
import type { ListenAddress, ListenFailure } from "./control.ts";
import { errorAnswer, send } from "./http.ts";
import { dispatch } from "./router.ts";
import type { Service } from "./routes/route.ts";

/** Longest time for the head of a request and for all of it, milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Idle time after which a connection is closed, milliseconds. Clients are told and stop using it before. */
const KEEP_ALIVE_MS = 5_000;

export interface Listening {
  readonly port: number | null;
  readonly socketPath: string | null;
  readonly failure: ListenFailure | null;
}

/** The HTTP endpoint on TCP and on a Unix socket. In a cluster worker both are handles that swaps share. */
export class EndpointServer {
  readonly #service: Service;
  readonly #connectionLimit: number;
  #tcp: Server | undefined;
  #socket: Server | undefined;
  #draining = false;

  constructor(service: Service, connectionLimit: number) {
    this.#service = service;
    this.#connectionLimit = connectionLimit;
  }

  /** Listens where it does not listen yet. An address that cannot be had leaves the other one working. */
  async listen({ host, port, socketPath }: ListenAddress): Promise<Listening> {
    let failure: ListenFailure | null = null;
    const bind = async (
      current: Server | undefined,
      options: { host: string; port: number } | { path: string },
    ) => {
      if (current) return current;
      const server = this.#create();
      try {
        server.listen(options);
        await once(server, "listening");
        return server;
      } catch (cause) {
        failure = failureOf(cause, "path" in options ? options.path : `${host}:${port}`);
        return undefined;
      }
    };
    if (port !== null) this.#tcp = await bind(this.#tcp, { host, port });
    if (socketPath !== null) this.#socket = await bind(this.#socket, { path: socketPath });
    const address = this.#tcp?.address();
    return {
      port: typeof address === "object" && address ? address.port : null,
      socketPath: this.#socket ? socketPath : null,
      failure,
    };
  }

  /**
   * Takes no new connections and ends when the last one is closed. Idle ones may stay until their client or the
   * keep-alive time ends them, so that no request meets a connection that was just closed; the next answer on each
   * is its last.
   */
  async drain(idleConnections: "keep" | "close"): Promise<void> {
    this.#draining = true;
    const servers = [this.#tcp, this.#socket].filter((server) => server !== undefined);
    await Promise.all(
      servers.map((server) => {
        const closed = new Promise<void>((resolve) =>
          NetServer.prototype.close.call(server, () => resolve()),
        );
        if (idleConnections === "close") server.closeIdleConnections();
        return closed;
      }),
    );
  }

  #create(): Server {
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_TIMEOUT_MS });
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.maxConnections = this.#connectionLimit;
    server.on("request", (request, response) => void this.#handle(request, response));
    server.on("clientError", refuse);
    return server;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer = await dispatch(this.#service, request).catch((error: unknown) => {
      // The supervisor writes what the runner prints into the log.
      if (!isMusterError(error)) console.error(error);
      return errorAnswer(error);
    });
    if (this.#draining) answer = { ...answer, headers: { ...answer.headers, connection: "close" } };
    request.resume();
    if (!response.destroyed) send(response, answer);
  }
}

/** Answers what is no HTTP. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const status =
    error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  const body = JSON.stringify({ error: "The request is not well-formed HTTP.", code: "request.invalid" });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function failureOf(cause: unknown, address: string): ListenFailure {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return { code: "runner.address-taken", message: `Another process has the address ${address}.` };
  return {
    code: asMusterError(cause, "settings.invalid").code,
    message: `Cannot listen on ${address}: ${message}`,
  };
}
