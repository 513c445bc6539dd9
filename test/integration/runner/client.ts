import { type Agent, type IncomingHttpHeaders, request } from "node:http";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  readonly json: any;
}

export interface Target {
  readonly url: string;
  readonly socketPath?: string;
  readonly agent?: Agent;
}

/** One request; the body is sent as it is. */
export function call(
  { url, socketPath, agent }: Target,
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, ...(agent ? { agent } : {}), ...(socketPath ? { socketPath } : {}) };
    const outgoing = request(new URL(path, url), options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const whole = Buffer.concat(chunks);
        const length = Number(incoming.headers["inference-header-content-length"] ?? whole.length);
        let json: unknown;
        try {
          json = JSON.parse(whole.subarray(0, length).toString());
        } catch {
          json = undefined;
        }
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: whole, json });
      });
    });
    outgoing.on("error", reject);
    if (headers["transfer-encoding"] && body) outgoing.write(body);
    outgoing.end(headers["transfer-encoding"] ? undefined : body);
  });
}

export const infer = (target: Target, model: string, body: object): Promise<Reply> =>
  call(target, "POST", `/v2/models/${model}/infer`, JSON.stringify(body), {
    "content-type": "application/json",
  });

export const classify = (target: Target, row: number[], more: object = {}): Promise<Reply> =>
  infer(target, "classifier", {
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: row }],
    ...more,
  });

/** A request with the binary tensor data extension: JSON, then the blobs. */
export function inferBinary(
  target: Target,
  model: string,
  body: object,
  blobs: Uint8Array[],
  jsonLength?: string,
): Promise<Reply> {
  const json = Buffer.from(JSON.stringify(body));
  return call(target, "POST", `/v2/models/${model}/infer`, Buffer.concat([json, ...blobs]), {
    "content-type": "application/octet-stream",
    "inference-header-content-length": jsonLength ?? String(json.length),
  });
}
