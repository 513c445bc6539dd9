import { isMusterError, type MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { Fetcher } from "tuf-js";
import { problemError, readBody } from "../link/response.ts";
import type { HttpPort } from "./ports.ts";

/** tuf-js wants URLs; only the path behind this base is used. */
export const METADATA_BASE_URL = `https://muster.invalid${DEVICE_API.tuf}`;

const MAX_PROBLEM_BYTES = 64 * 1024;

/** The error by which tuf-js learns that there is no newer root. */
type HttpErrorClass = new (message: string, statusCode: number) => Error;

/**
 * Fetches metadata over the device's own connection and straight into memory. tuf-js wraps errors into text,
 * so the last one of the connection is kept here.
 */
export class TufFetcher implements Fetcher {
  readonly #http: HttpPort;
  readonly #HttpError: HttpErrorClass;
  readonly #signal: AbortSignal;
  failure: MusterError | undefined;

  constructor(http: HttpPort, HttpError: HttpErrorClass, signal: AbortSignal) {
    this.#http = http;
    this.#HttpError = HttpError;
    this.#signal = signal;
  }

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    try {
      const { status, body } = await this.#http.request({
        path: new URL(url).pathname,
        signal: this.#signal,
      });
      if (status === 200) return await readBody(body, maxLength);
      const text = (await readBody(body, MAX_PROBLEM_BYTES)).toString();
      if (status === 404) throw new this.#HttpError("There is no such metadata.", status);
      throw problemError(status, text);
    } catch (error) {
      if (isMusterError(error)) this.failure = error;
      throw error;
    }
  }

  downloadFile<T>(): Promise<T> {
    throw new TypeError("Targets are not fetched through tuf-js.");
  }
}
