import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { WebhookTarget } from "../receiver.ts";
import { type Attempt, excerpt } from "./attempt.ts";
import { NOTIFICATION_HEADER, SIGNATURE_HEADER, signatureOf } from "./signature.ts";

/** Bytes of an answer that are read: enough for a sentence. */
const MAX_ANSWER = 4_096;

interface WebhookCall {
  target: WebhookTarget;
  secret: string;
  id: string;
  /** JSON text. */
  body: string;
  now: number;
  /** Ends the attempt from outside. */
  signal: AbortSignal;
}

/**
 * Posts the body once, signed. 2xx is delivered; 429, 5xx, no connection, a certificate that does not verify and
 * no answer in time may be better later; everything else is final, redirects among it: following them would carry
 * the signed body to who knows whom.
 */
export function postWebhook(call: WebhookCall): Promise<Attempt> {
  const { target, secret, id, body, now } = call;
  const url = new URL(target.url);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const deadline = AbortSignal.timeout(target.timeoutMs);
  return new Promise((resolve) => {
    const failed = (error: Error) => {
      const late = deadline.aborted ? `No answer within ${target.timeoutMs} ms.` : sentenceOf(error);
      resolve({ outcome: "failed", error: late });
    };
    const request = send(
      url,
      {
        method: "POST",
        agent: false,
        signal: AbortSignal.any([deadline, call.signal]),
        ...(target.ca === null ? {} : { ca: target.ca }),
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "user-agent": "muster",
          [NOTIFICATION_HEADER]: id,
          [SIGNATURE_HEADER]: signatureOf(secret, body, now),
        },
      },
      (response) => {
        readAnswer(response).then((text) => {
          resolve(judgeAnswer(response, text, now));
          request.destroy();
        }, failed);
      },
    );
    request.on("error", failed);
    request.end(body);
  });
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    if (size >= MAX_ANSWER) break;
  }
  return Buffer.concat(parts).toString("utf8");
}

function judgeAnswer(
  { statusCode: status = 0, headers }: IncomingMessage,
  text: string,
  now: number,
): Attempt {
  if (status >= 200 && status < 300) return { outcome: "delivered", note: null };
  const said = excerpt(text);
  const error = `It answered ${status}${said === "" ? "" : `: ${said}`}.`;
  if (status >= 300 && status < 400)
    return { outcome: "refused", error: `It answered ${status}: redirects are not followed.` };
  if (status >= 500 || status === 429) {
    const retryAfterMs = retryAfterOf(headers["retry-after"], now);
    return { outcome: "failed", error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  return { outcome: "refused", error };
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterOf(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

function sentenceOf(error: NodeJS.ErrnoException): string {
  if (error.name === "AbortError") return "It was called off.";
  // Where several addresses were tried, node leaves the message empty.
  return `It cannot be reached: ${excerpt(error.message || error.code || error.name)}.`;
}
