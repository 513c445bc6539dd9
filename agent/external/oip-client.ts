import { Agent, type IncomingMessage, request } from "node:http";
import { MusterError } from "@muster/shared/errors";
import type { ServerAddress } from "./server-process.ts";

/** Answers larger than this are no answers, bytes. */
const MOST_BYTES = 256 * 1024 * 1024;

export interface OipAnswer {
  readonly status: number;
  /** Bytes of the JSON part, where the answer says so; the rest is binary tensors. */
  readonly headerBytes: number | undefined;
  readonly body: Buffer;
}

/** HTTP to a local server over connections that are kept. */
export class OipClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });
  readonly #address: ServerAddress;

  constructor(address: ServerAddress) {
    this.#address = address;
  }

  get(path: string, timeoutMs: number): Promise<OipAnswer> {
    return this.#ask("GET", path, {}, undefined, timeoutMs);
  }

  /** @param json the JSON part, @param blobs what follows it */
  async infer(
    path: string,
    json: string,
    blobs: readonly Uint8Array[],
    timeoutMs: number,
  ): Promise<OipAnswer> {
    const header = Buffer.from(json);
    const body = Buffer.concat([header, ...blobs]);
    const headers = {
      "content-type": blobs.length === 0 ? "application/json" : "application/octet-stream",
      "content-length": String(body.byteLength),
      ...(blobs.length > 0 && { "inference-header-content-length": String(header.byteLength) }),
    };
    return this.#ask("POST", path, headers, body, timeoutMs);
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * @throws MusterError `request.timeout`, `request.unreachable`, or `runtime.protocol` for an answer without an end
   */
  #ask(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: Uint8Array | undefined,
    timeoutMs: number,
    again = true,
  ): Promise<OipAnswer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { ...this.#address, agent: this.#agent, method, path, headers },
        (response) =>
          void collect(response)
            .then(resolve, reject)
            .finally(() => clearTimeout(timer)),
      );
      const timer = setTimeout(() => {
        reject(new MusterError("request.timeout", `The server did not answer within ${timeoutMs / 1000} s.`));
        asked.destroy();
      }, timeoutMs);
      asked.once("error", (cause: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        // A kept connection may be closed by the other side just when it is used again.
        if (again && asked.reusedSocket && cause.code === "ECONNRESET")
          this.#ask(method, path, headers, body, timeoutMs, false).then(resolve, reject);
        else reject(new MusterError("request.unreachable", `The server: ${cause.message}`, { cause }));
      });
      asked.end(body);
    });
  }
}

async function collect(response: IncomingMessage): Promise<OipAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      if (bytes > MOST_BYTES) throw new MusterError("runtime.protocol", "The answer is too large.");
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof MusterError) throw cause;
    throw new MusterError("request.unreachable", `The answer was cut off: ${(cause as Error).message}`, {
      cause,
    });
  }
  const header = response.headers["inference-header-content-length"];
  const headerBytes = header === undefined ? undefined : Number(header);
  return { status: response.statusCode ?? 0, headerBytes, body: Buffer.concat(chunks) };
}
