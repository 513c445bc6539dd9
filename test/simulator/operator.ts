import { problemError } from "@muster/agent/link/response";
import { MusterError } from "@muster/shared/errors";

/** The operator API with a token. */
export class OperatorApi {
  readonly #base: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#base = `${url.replace(/\/$/, "")}/api/v1`;
    this.#token = token;
  }

  get<T>(path: string): Promise<T> {
    return this.send<T>("GET", path);
  }

  /** @throws MusterError that the answer tells, or `request.unreachable` */
  async send<T>(method: string, path: string, body?: unknown): Promise<T> {
    let response: Response;
    try {
      response = await fetch(`${this.#base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new MusterError("request.unreachable", `${this.#base} does not answer.`, { cause });
    }
    const text = await response.text();
    if (!response.ok) {
      const { code, message } = problemError(response.status, text);
      throw new MusterError(code, `${method} ${path}: ${message}`);
    }
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }
}
