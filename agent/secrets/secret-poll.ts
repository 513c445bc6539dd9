import { asMusterError, type MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import type { DeviceHttp } from "../link/device-http.ts";
import { pollDelay } from "../link/document-poll.ts";
import { problemError, readBody } from "../link/response.ts";
import type { SecretChange, SecretFiles } from "./secret-files.ts";

/** Largest document: the secrets of a device with their boxes and names. */
const MOST_BYTES = 512 * 1024;

export interface SecretPollOptions {
  http: Pick<DeviceHttp, "request">;
  files: SecretFiles;
  intervalMs: number;
  random: () => number;
  changed: (change: SecretChange) => void;
  /** Told once for each kind of failure in a row. */
  failed: (error: MusterError) => void;
}

/** Asks for the secrets of this box, at each session and now and then. Without an answer it keeps what it has. */
export class SecretPoll {
  readonly #options: SecretPollOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void> | undefined;
  #again = false;
  #etag: string | undefined;
  #told: string | undefined;

  constructor(options: SecretPollOptions) {
    this.#options = options;
  }

  start(): void {
    this.#arm();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort();
    await this.#asking;
  }

  /** Asks at once; where it is asking just now, once more behind it. */
  askNow(): void {
    if (this.#abort.signal.aborted) return;
    if (this.#asking) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#asking = this.#ask().finally(() => {
      this.#asking = undefined;
      const again = this.#again;
      this.#again = false;
      if (again) this.askNow();
      else this.#arm();
    });
  }

  #arm(): void {
    if (this.#abort.signal.aborted) return;
    const { intervalMs, random } = this.#options;
    const delay = pollDelay(intervalMs, 0, random());
    this.#timer = setTimeout(() => this.askNow(), delay);
  }

  async #ask(): Promise<void> {
    try {
      await this.#take();
      this.#told = undefined;
    } catch (cause) {
      const error = asMusterError(cause);
      if (this.#abort.signal.aborted || this.#told === error.code) return;
      this.#told = error.code;
      this.#options.failed(error);
    }
  }

  async #take(): Promise<void> {
    const { http, files, changed } = this.#options;
    const response = await http.request({
      path: DEVICE_API.secrets,
      headers: this.#etag === undefined ? {} : { "if-none-match": this.#etag },
      signal: this.#abort.signal,
    });
    const text = (await readBody(response.body, MOST_BYTES)).toString("utf8");
    if (response.status === 304) return;
    if (response.status !== 200) throw problemError(response.status, text);
    const change = await files.take(text);
    this.#etag = response.headers.etag;
    if (change.written.length + change.removed.length > 0) changed(change);
  }
}
