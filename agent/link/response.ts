import type { Readable } from "node:stream";
import { isErrorCode, MusterError } from "@muster/shared/errors";
import type { DeviceHttp } from "./device-http.ts";
import { asLinkError } from "./tls-errors.ts";

/** Reads a body into memory. @throws MusterError `request.too-large` above `maxBytes`, `request.unreachable` */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > maxBytes)
        throw new MusterError("request.too-large", `The answer has more than ${maxBytes} bytes.`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw asLinkError(error, "The answer broke off");
  }
  return Buffer.concat(chunks);
}

/** The error that a problem document (RFC 9457) tells, or one that names the status. */
export function problemError(status: number, text: string): MusterError {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code === "string" && isErrorCode(code))
      return new MusterError(code, typeof detail === "string" ? detail.slice(0, 900) : undefined);
  } catch {
    // Not a problem document: the status alone has to say it.
  }
  const code = status >= 500 ? "request.unreachable" : "request.conflict";
  return new MusterError(code, `The server answered with status ${status}.`);
}

/** Largest JSON answer of the device API, bytes: an enrollment with its trust root. */
const MAX_JSON_BYTES = 1024 * 1024;

/** Posts JSON and gives the text of a successful answer. @throws MusterError that the answer tells, or `request.` */
export async function postJson(http: DeviceHttp, path: string, value: unknown): Promise<string> {
  const response = await http.request({
    method: "POST",
    path,
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(value),
  });
  const text = (await readBody(response.body, MAX_JSON_BYTES)).toString("utf8");
  if (response.status < 200 || response.status > 299) throw problemError(response.status, text);
  return text;
}
