import { isErrorCode, MusterError } from "@muster/shared/errors";
import type { Problem } from "@muster/shared/protocol/device-api";

/** Longest wait for an answer, milliseconds; uploads have no such limit. */
const TIMEOUT = 30_000;

const isProblem = (value: unknown): value is Problem =>
  typeof value === "object" && value !== null && "code" in value && "detail" in value;

async function problemOf(response: Response): Promise<MusterError> {
  const text = await response.text();
  try {
    const body: unknown = JSON.parse(text);
    if (isProblem(body))
      return isErrorCode(body.code)
        ? new MusterError(body.code, body.detail)
        : new MusterError("internal.unexpected", `${body.code}: ${body.detail}`);
  } catch {
    // Falls through: a proxy in between answers in its own words.
  }
  return new MusterError("request.unreachable", `Something that is not Muster answered ${response.status}.`);
}

/** Why no answer came; OpenSSL's own words help nobody. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return "";
  const { code = "" } = cause as NodeJS.ErrnoException;
  return code.startsWith("ERR_SSL") ? ": it does not speak https" : `: ${cause.message}`;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface CallOptions {
  method?: string;
  query?: Query;
  json?: unknown;
  body?: ReadableStream<Uint8Array>;
  headers?: Readonly<Record<string, string>>;
}

/** Speaks to the operator API with one operator's token. */
export class OperatorClient {
  readonly url: URL;
  readonly #token: string;

  /** @throws MusterError `settings.invalid` for an address that is no http(s) URL */
  constructor(url: string, token: string) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (!parsed || !/^https?:$/.test(parsed.protocol))
      throw new MusterError("settings.invalid", `${url} is not an http or https URL.`);
    this.url = parsed;
    this.#token = token;
  }

  /** Calls `/api/v1<path>` and answers the raw response of a success. @throws MusterError as the API says */
  async call(path: string, options: CallOptions = {}): Promise<Response> {
    const target = new URL(`api/v1${path}`, this.url.href.replace(/\/*$/, "/"));
    for (const [name, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) target.searchParams.set(name, String(value));
    const headers: Record<string, string> = { authorization: `Bearer ${this.#token}`, ...options.headers };
    if (options.json !== undefined) headers["content-type"] = "application/json";
    const body = options.json !== undefined ? JSON.stringify(options.json) : options.body;
    let response: Response;
    try {
      response = await fetch(target, {
        method: options.method ?? "GET",
        headers,
        ...(body === undefined ? {} : { body }),
        ...(options.body ? { duplex: "half" } : { signal: AbortSignal.timeout(TIMEOUT) }),
      } as RequestInit);
    } catch (cause) {
      if (cause instanceof Error && cause.name === "TimeoutError")
        throw new MusterError("request.timeout", `${this.url.origin} did not answer in time.`, { cause });
      throw new MusterError(
        "request.unreachable",
        `${this.url.origin} cannot be reached${reasonOf(cause)}.`,
        {
          cause,
        },
      );
    }
    if (response.ok) return response;
    throw response.status === 404 && options.method === "HEAD"
      ? new MusterError("request.not-found")
      : await problemOf(response);
  }

  async get<T>(path: string, query?: Query): Promise<T> {
    return (await (await this.call(path, query ? { query } : {})).json()) as T;
  }

  /** Sends JSON, or nothing, and reads JSON; undefined for an empty answer. */
  async send<T>(method: string, path: string, json?: unknown, query?: Query): Promise<T> {
    const response = await this.call(path, {
      method,
      ...(json === undefined ? {} : { json }),
      ...(query ? { query } : {}),
    });
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}
