import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { MusterError } from "@muster/shared/errors";
import type { Standing } from "./standing.ts";

/** Counts how often siblings have forwarded a request. */
export const HOPS = "muster-hops";
/** While releases are swapped what one runner knows may be a moment older than what the next one knows. */
const MOST_HOPS = 3;

/** A connection to a sibling that is idle for so long is closed, milliseconds: well before the sibling would. */
const IDLE_MS = 3_000;
const MAX_IDLE = 16;

/** Headers of one connection and not of the message (RFC 9110 section 7.6.1), and the one that Node answers itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
]);

/**
 * Hands requests for a sibling's model on, unparsed: bodies are streamed in both directions at the pace of the slower
 * side, and a client that goes away ends the request at the sibling too.
 */
export class Forwarder {
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: IDLE_MS });
  readonly #bodyLimit: number;

  /** @param bodyLimit largest body, bytes; one that says to be larger is refused here, any other by the sibling */
  constructor(bodyLimit: number) {
    this.#bodyLimit = bodyLimit;
  }

  /**
   * Resolves when the answer was given, or cannot be given any more. Headers that were set on the response before go
   * out with it.
   * @throws MusterError `request.too-large`, or `model.not-ready` when the sibling is not ready or ends before it answers;
   *   nothing was answered then
   */
  async forward(to: Standing, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#check(to, request);
    await this.#relay(to, request, response);
  }

  /** Idle connections to siblings end. */
  close(): void {
    this.#agent.destroy();
  }

  #check({ name, version, state, reason, socket }: Standing, { headers }: IncomingMessage): void {
    if (Number(headers["content-length"] ?? 0) > this.#bodyLimit)
      throw new MusterError("request.too-large", `The body is larger than ${this.#bodyLimit} bytes.`);
    if (hopsOf(headers) >= MOST_HOPS)
      throw new MusterError("model.not-ready", `Model ${name} ${version} is moving to another runner.`);
    if (state !== "ready" || socket === null)
      throw new MusterError("model.not-ready", `Model ${name} ${version} is not ready: ${reason}`);
  }

  #relay(to: Standing, request: IncomingMessage, response: ServerResponse): Promise<void> {
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        socketPath: to.socket!,
        agent: this.#agent,
        method: request.method,
        path: request.url,
        headers: {
          ...endToEnd(request.headers),
          ...framing(request.headers),
          [HOPS]: String(hopsOf(request.headers) + 1),
        },
      });
      const fail = (cause: Error) => {
        request.unpipe(outgoing);
        if (response.headersSent) response.destroy();
        else reject(noAnswer(to, cause));
      };
      outgoing.on("error", fail);
      outgoing.once("response", (incoming) => {
        response.writeHead(incoming.statusCode ?? 502, endToEnd(incoming.headers));
        incoming.on("error", fail);
        incoming.once("end", () => request.unpipe(outgoing));
        incoming.pipe(response);
      });
      response.once("close", () => {
        if (!response.writableFinished) outgoing.destroy();
        resolve();
      });
      request.pipe(outgoing);
    });
  }
}

/**
 * A body without a length goes on in chunks, as it came. Node would write that of a GET as it is, and the sibling would
 * take it for further requests, whose answers others would get.
 */
const framing = (headers: IncomingMessage["headers"]): Record<string, string> =>
  headers["transfer-encoding"] === undefined ? {} : { "transfer-encoding": "chunked" };

const hopsOf = (headers: IncomingMessage["headers"]): number => Number(headers[HOPS] ?? 0) || 0;

const noAnswer = ({ name, version }: Standing, cause: Error): MusterError =>
  new MusterError("model.not-ready", `The runner of model ${name} ${version} ended before it answered.`, {
    cause,
  });

function endToEnd(headers: IncomingMessage["headers"]): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !HOP_BY_HOP.has(name)) kept[name] = value;
  return kept;
}
