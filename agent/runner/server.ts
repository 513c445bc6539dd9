import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type ListenOptions, Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, isMusterError } from "@muster/shared/errors";
import type { ListenAddress, ListenFailure } from "./control.ts";
import type { GrpcServer } from "./grpc/server.ts";
import { type Answer, errorAnswer, send } from "./http.ts";
import { Router } from "./router.ts";
import type { Service } from "./routes/route.ts";

/** Longest time for the head of a request and for all of it, milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Request line and headers together, bytes, and headers of one request. */
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 100;
/** Idle time after which a connection is closed, milliseconds. Clients are told and stop using it before. */
const KEEP_ALIVE_MS = 5_000;
/** The same for siblings, who close theirs long before: while the runtime computes, nobody sees that they did. */
const SIBLING_KEEP_ALIVE_MS = 10_000;
/** Time in which a sibling that has not read yet where a model is now may still come to this runner, milliseconds. */
const SIBLING_GRACE_MS = 500;

export interface Listening {
  readonly port: number | null;
  readonly socketPath: string | null;
  readonly grpcPort: number | null;
  readonly groupPath: string | null;
  readonly ownPath: string | null;
  readonly failure: ListenFailure | null;
}

type Door = "tcp" | "socket" | "group" | "own";

/**
 * The HTTP endpoint on TCP and on Unix sockets. In a cluster worker these are handles that runners share, but for the
 * one on which siblings reach this very process.
 */
export class EndpointServer {
  readonly #service: Service;
  readonly #router: Router;
  readonly #connectionLimit: number;
  readonly #servers = new Map<Door, Server>();
  #grpc: { readonly server: GrpcServer; readonly port: number } | undefined;
  #draining = false;

  constructor(service: Service, connectionLimit: number) {
    this.#service = service;
    this.#router = new Router(service);
    this.#connectionLimit = connectionLimit;
  }

  /** Listens where it does not listen yet. An address that cannot be had leaves the other one working. */
  async listen({ host, port, socketPath, grpcPort, groupPath, ownPath }: ListenAddress): Promise<Listening> {
    let failure: ListenFailure | null = null;
    const bind = async (door: Door, options: ListenOptions & ({ port: number } | { path: string })) => {
      if (this.#servers.has(door)) return;
      const server = this.#create(door === "own" ? SIBLING_KEEP_ALIVE_MS : KEEP_ALIVE_MS);
      try {
        server.listen(options);
        await once(server, "listening");
        // No file descriptor left for a connection: that one is lost, the runner is not.
        server.on("error", ({ message }) => console.error(`a connection was not accepted: ${message}`));
        this.#servers.set(door, server);
      } catch (cause) {
        failure ??= failureOf(cause, options.path ?? `${host}:${port}`);
      }
    };
    if (ownPath !== null) await bind("own", { path: ownPath, exclusive: true });
    if (groupPath !== null) await bind("group", { path: groupPath });
    if (port !== null) await bind("tcp", { host, port });
    if (socketPath !== null) await bind("socket", { path: socketPath });
    if (grpcPort !== null && !this.#grpc)
      await this.#listenGrpc(host, grpcPort).catch((cause) => {
        failure ??= failureOf(cause, `${host}:${grpcPort}`);
      });
    const address = this.#servers.get("tcp")?.address();
    return {
      port: typeof address === "object" && address ? address.port : null,
      socketPath: this.#servers.has("socket") ? socketPath : null,
      grpcPort: this.#grpc?.port ?? null,
      groupPath: this.#servers.has("group") ? groupPath : null,
      ownPath: this.#servers.has("own") ? ownPath : null,
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
    const end = (server: Server): Promise<void> => {
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      if (idleConnections === "close") server.closeIdleConnections();
      return closed;
    };
    const own = this.#servers.get("own");
    const shared = [...this.#servers.values()].filter((server) => server !== own);
    const ended = [this.#grpc?.server.drain(), ...shared.map(end)];
    if (idleConnections === "keep" && !this.#service.siblings.alone) await sleep(SIBLING_GRACE_MS);
    await Promise.all([...ended, own && end(own)]);
  }

  /** The libraries are loaded here, so that a runner without gRPC stays small. */
  async #listenGrpc(host: string, port: number): Promise<void> {
    const { GrpcServer } = await import("./grpc/server.ts");
    const server = new GrpcServer(this.#service);
    this.#grpc = { server, port: await server.listen(host, port) };
  }

  #create(keepAliveTimeout: number): Server {
    const server = createServer({
      keepAliveTimeout,
      headersTimeout: HEADERS_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.maxHeadersCount = MAX_HEADERS;
    server.maxConnections = this.#connectionLimit;
    server.on("request", (request, response) => void this.#handle(request, response));
    server.on("clientError", refuse);
    return server;
  }

  /** Written without `await`: most requests to a small model would cost more in promises than in work. */
  #handle(request: IncomingMessage, response: ServerResponse): void {
    if (this.#draining) response.setHeader("connection", "close");
    const give = (answer: Answer | undefined) => {
      if (!request.complete) request.resume();
      if (answer && !response.destroyed) send(response, answer, this.#draining);
    };
    const fail = (error: unknown) => {
      // The supervisor writes what the runner prints into the log.
      if (!isMusterError(error)) console.error(error);
      if (response.headersSent) response.destroy();
      else give(errorAnswer(error));
    };
    try {
      const answer = this.#router.answer(request, response);
      if (answer instanceof Promise) answer.then(give).catch(fail);
      else give(answer);
    } catch (error) {
      fail(error);
    }
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
