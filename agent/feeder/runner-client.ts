import { Agent, request } from "node:http";
import type { Tier } from "@muster/shared/protocol/serving/tiers";
import type { RunnerAddress } from "./control.ts";
import type { Item } from "./item.ts";
import type { Reply } from "./next-step.ts";

/** Above this an answer is no answer of a runner. */
const MAX_ANSWER = 64 * 1024 * 1024;
/** The runner answers in time or says that it cannot; this is for one that does neither. */
const GRACE_MS = 5000;

const PRIORITIES: Readonly<Record<Tier, string>> = { critical: "1", standard: "2", "best-effort": "3" };

export interface Target {
  readonly model: string;
  readonly version: string | undefined;
  readonly tier: Tier;
  /** Answer only when the result is stored. */
  readonly durable: boolean;
}

export interface Answered {
  readonly reply: Reply;
  /** The body of the answer, parsed; undefined when it is no JSON. */
  readonly json: unknown;
}

/** The connection of one source to the runner: sources share none, so that none waits for another. */
export class RunnerClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, keepAliveMsecs: 1000 });
  readonly #address: () => RunnerAddress;

  /** @param address where the runner is now */
  constructor(address: () => RunnerAddress) {
    this.#address = address;
  }

  /** Posts an item and never throws. @param timeoutMs when the answer is worth nothing any more */
  post(item: Item, target: Target, timeoutMs: number): Promise<Answered> {
    const { socket, url } = this.#address();
    const none = (reason: string): Answered => ({ reply: { status: null, reason }, json: undefined });
    if (socket === null && url === null) return Promise.resolve(none("NO_ENDPOINT"));
    const version = target.version === undefined ? "" : `/versions/${target.version}`;
    const path = `/v2/models/${target.model}${version}/infer`;
    const body =
      item.contentType === "application/json" ? withParameters(item, target, timeoutMs) : item.body;
    return new Promise((resolve) => {
      const outgoing = request(
        {
          method: "POST",
          path,
          agent: this.#agent,
          timeout: timeoutMs + GRACE_MS,
          headers: {
            "content-type": item.contentType,
            "content-length": body.byteLength,
            "muster-request-id": item.id,
            "muster-priority": PRIORITIES[target.tier],
            "muster-timeout": String(Math.max(1, Math.round(timeoutMs * 1000))),
            ...(target.durable && { "muster-durable": "true" }),
          },
          ...(socket === null ? hostOf(url!) : { socketPath: socket }),
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          let length = 0;
          incoming.on("data", (chunk: Buffer) => {
            length += chunk.byteLength;
            if (length > MAX_ANSWER) incoming.destroy();
            else chunks.push(chunk);
          });
          incoming.on("error", () => resolve(none("ECONNRESET")));
          incoming.on("close", () => resolve(none("ECONNRESET")));
          incoming.on("end", () => {
            const json = parse(Buffer.concat(chunks));
            const retryAfter = Number(incoming.headers["retry-after"]);
            resolve({
              reply: {
                status: incoming.statusCode ?? 0,
                code: textOf(json, "code"),
                retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
              },
              json,
            });
          });
        },
      );
      outgoing.on("timeout", () => outgoing.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
      outgoing.on("error", (error: NodeJS.ErrnoException) => resolve(none(error.code ?? "ECONNRESET")));
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

const hostOf = (url: string) => {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port };
};

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

const textOf = (json: unknown, name: string): string | undefined => {
  const value = (json as Record<string, unknown> | undefined)?.[name];
  return typeof value === "string" ? value : undefined;
};

/** Tensors in JSON carry their parameters with them. What is no request goes as it is, for the runner to refuse. */
function withParameters(item: Item, { tier, durable }: Target, timeoutMs: number): Uint8Array {
  const request = parse(Buffer.from(item.body)) as Record<string, unknown> | undefined;
  if (typeof request !== "object" || request === null || Array.isArray(request)) return item.body;
  const parameters = {
    priority: Number(PRIORITIES[tier]),
    timeout: Math.max(1, Math.round(timeoutMs * 1000)),
    ...(durable && { muster_durable: true }),
    ...(request.parameters as object | undefined),
  };
  return Buffer.from(JSON.stringify({ ...request, id: item.id, parameters }));
}
