import { createHmac } from "node:crypto";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { MusterError } from "@muster/shared/errors";
import { FEEDER_DEFAULTS, type WebhookSink } from "../config.ts";
import type { Result } from "../item.ts";
import { readOwned, readSecret } from "../secrets.ts";
import type { Carrier } from "./delivery.ts";

const SIGNATURE_HEADER = "muster-signature";

/** What the receiver may do better the next time: wait, or be mended. Any other 4xx is its last word. */
const TRY_AGAIN = new Set([408, 409, 425, 429]);

/**
 * Posts each result as JSON. With a secret, `muster-signature: t=<seconds since the epoch>,v1=<hex>` is the HMAC-SHA256
 * over `<seconds>.<body>`, as the control plane signs its notifications.
 */
export class Webhook implements Carrier {
  readonly #sink: WebhookSink;
  readonly #now: () => number;
  readonly #agent: HttpAgent;

  /** @param now milliseconds since the epoch */
  constructor(sink: WebhookSink, now: () => number) {
    this.#sink = sink;
    this.#now = now;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = sink.url.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(options);
  }

  async deliver(result: Result, signal: AbortSignal): Promise<void> {
    const { url, secretFile, caFile, timeoutMs = FEEDER_DEFAULTS.sinkTimeoutMs } = this.#sink;
    const body = Buffer.from(JSON.stringify(result));
    const headers: Record<string, string | number> = {
      "content-type": "application/json",
      "content-length": body.byteLength,
      "muster-result": result.id,
    };
    if (secretFile !== undefined)
      headers[SIGNATURE_HEADER] = signatureOf(await readSecret(secretFile), body, this.#now());
    const ca = caFile === undefined ? undefined : await readOwned(caFile);
    const status = await new Promise<number>((resolve, reject) => {
      const ask = url.startsWith("https:") ? httpsRequest : httpRequest;
      const outgoing = ask(
        url,
        { method: "POST", agent: this.#agent, headers, signal, ...(ca && { ca }) },
        (incoming) => {
          incoming.resume();
          incoming.on("error", reject);
          incoming.on("end", () => resolve(incoming.statusCode ?? 0));
        },
      );
      const timer = setTimeout(() => outgoing.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
      outgoing.on("error", reject);
      outgoing.on("close", () => {
        clearTimeout(timer);
        reject(new Error("the connection was closed"));
      });
      outgoing.end(body);
    }).catch((cause: Error) => {
      throw new MusterError("sink.undelivered", `Sink ${this.#sink.name}: ${cause.message}.`, { cause });
    });
    if (status >= 200 && status < 300) return;
    const isFinal = status >= 400 && status < 500 && !TRY_AGAIN.has(status);
    throw new MusterError(
      isFinal ? "sink.refused" : "sink.undelivered",
      `Sink ${this.#sink.name} answered ${status}.`,
    );
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }
}

function signatureOf(secret: string, body: Buffer, now: number): string {
  const seconds = Math.floor(now / 1000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.`).update(body).digest("hex")}`;
}
