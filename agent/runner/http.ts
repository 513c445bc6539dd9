import type { ServerResponse } from "node:http";
import { asMusterError, isMusterError } from "@muster/shared/errors";

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
  const { code, message, status, retryAfterSeconds } = asMusterError(error);
  const headers: Record<string, string> = {};
  if (status === 503) headers["retry-after"] = String(retryAfterSeconds ?? 1);
  if (isMusterError(error, "request.too-large")) headers.connection = "close";
  return jsonAnswer(status, { error: message, code }, headers);
}

/** Binary bodies up to this many bytes go out as one text with the head: one write instead of two. */
const ONE_WRITE_BYTES = 8192;

/** @param closing the connection ends with this answer */
export function send(response: ServerResponse, { status, headers, body }: Answer, closing = false): void {
  let length = 0;
  let ascii = true;
  for (const part of body) {
    const bytes = typeof part === "string" ? Buffer.byteLength(part) : part.byteLength;
    if (typeof part === "string" && bytes !== part.length) ascii = false;
    length += bytes;
  }
  const head: Record<string, string | number> = { ...headers, "content-length": length };
  if (closing) head.connection = "close";
  response.writeHead(status, head);
  const [first] = body;
  if (body.length === 1 && typeof first === "string") {
    response.end(first);
  } else if (ascii && length <= ONE_WRITE_BYTES) {
    response.end(body.map(latin1Of).join(""), "latin1");
  } else {
    response.cork();
    for (const part of body) response.write(part);
    response.end();
  }
}

const latin1Of = (part: string | Uint8Array): string =>
  typeof part === "string"
    ? part
    : Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString("latin1");
