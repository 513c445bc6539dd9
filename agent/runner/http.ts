import type { IncomingMessage, ServerResponse } from "node:http";
import { asMusterError, isMusterError, MusterError } from "@muster/shared/errors";

/** What a route answers. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: readonly (string | Uint8Array)[];
}

export const jsonAnswer = (status: number, value: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: [JSON.stringify(value)],
});

/** The error object of the Open Inference Protocol with our stable code beside it. */
export function errorAnswer(error: unknown): Answer {
  const { code, message, status } = asMusterError(error);
  const headers: Record<string, string> = {};
  if (status === 503) headers["retry-after"] = "1";
  if (isMusterError(error, "request.too-large")) headers.connection = "close";
  return jsonAnswer(status, { error: message, code }, headers);
}

export function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const parts = body.map((part) => (typeof part === "string" ? Buffer.from(part, "utf8") : part));
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  response.writeHead(status, { ...headers, "content-length": length });
  for (const part of parts) response.write(part);
  response.end();
}

/** A body beyond the limit is read to its end up to this many times the limit, so that the answer arrives. */
const DISCARD_FACTOR = 4;

/** Reads bodies within a limit for each and one for all that are held at a time, bytes. */
export class BodyReader {
  readonly #limit: number;
  readonly #totalLimit: number;
  #held = 0;

  constructor(limit: number, totalLimit: number) {
    this.#limit = limit;
    this.#totalLimit = totalLimit;
  }

  /**
   * Gives the whole body to `work`; it counts as held until that is done.
   * @throws MusterError `request.too-large`, `inference.overloaded` when too much is held, `request.invalid` when the
   *   connection ends before the body, or what `work` throws
   */
  async use<T>(request: IncomingMessage, work: (body: Buffer) => Promise<T>): Promise<T> {
    const chunks: Buffer[] = [];
    let held = 0;
    try {
      for await (const chunk of this.#chunksOf(request)) {
        held += chunk.byteLength;
        this.#held += chunk.byteLength;
        if (this.#held > this.#totalLimit)
          throw new MusterError(
            "inference.overloaded",
            "The requests at work have too large bodies together.",
          );
        chunks.push(chunk);
      }
      return await work(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, held));
    } finally {
      this.#held -= held;
    }
  }

  async *#chunksOf(request: IncomingMessage): AsyncGenerator<Buffer> {
    const discardable = this.#limit * (1 + DISCARD_FACTOR);
    let length = Number(request.headers["content-length"] ?? 0);
    if (length <= discardable) {
      length = 0;
      try {
        for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
          length += chunk.byteLength;
          if (length > discardable) break;
          if (length <= this.#limit) yield chunk;
        }
      } catch (cause) {
        throw new MusterError("request.invalid", "The connection ended before the body.", { cause });
      }
    }
    if (length > this.#limit)
      throw new MusterError("request.too-large", `The body is larger than ${this.#limit} bytes.`);
  }
}
