import { asMusterError, MusterError } from "@muster/shared/errors";
import type { DEVICE_API } from "@muster/shared/protocol/device-api";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import type { DeviceHttp } from "./device-http.ts";
import { problemError, readBody } from "./response.ts";

export interface PollOptions {
  http: DeviceHttp;
  path: (typeof DEVICE_API)["desired" | "policy"];
  /** Time between polls while MQTT is down, and while it is up, milliseconds. */
  downMs: number;
  upMs: number;
  random: () => number;
  /** Answers `deferred` when the document has to be offered again. */
  offer: (document: string) => Promise<string>;
  /** Each attempt, once: whether the control plane answered it. */
  synced: (succeeded: boolean) => void;
  failed: (error: MusterError) => void;
}

type Answer = { text: string; etag: string | undefined } | undefined;

const MAX_FAILURE_FACTOR = 16;

/** From half to one and a half times the interval, so that boxes which failed together do not ask together. */
export const pollDelay = (intervalMs: number, failures: number, random: number): number =>
  Math.round(intervalMs * Math.min(2 ** failures, MAX_FAILURE_FACTOR) * (0.5 + random));

/** Asks for a document over HTTPS: often while MQTT is down, seldom as a safeguard while it is up. */
export class DocumentPoll {
  readonly #options: PollOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #online = false;
  #failures = 0;
  #urgent = false;
  #etag: string | undefined;

  constructor(options: PollOptions) {
    this.#options = options;
  }

  start(): void {
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  setOnline(online: boolean): void {
    if (this.#online === online) return;
    this.#online = online;
    this.#arm();
  }

  /** Asks as often as without MQTT until the document is taken. */
  askSoon(): void {
    this.#etag = undefined;
    this.#urgent = true;
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#abort.signal.aborted) return;
    const { upMs, downMs, random } = this.#options;
    const delay = pollDelay(this.#online && !this.#urgent ? upMs : downMs, this.#failures, random());
    this.#timer = setTimeout(() => {
      const urgent = this.#urgent;
      this.#urgent = false;
      this.#ask()
        .then(() => {
          this.#failures = 0;
        })
        .catch((error: unknown) => {
          this.#failures += 1;
          this.#urgent ||= urgent;
          if (!this.#abort.signal.aborted) this.#options.failed(asMusterError(error));
        })
        .finally(() => this.#arm());
    }, delay);
  }

  async #ask(): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#request();
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#options.synced(false);
      throw error;
    }
    this.#options.synced(true);
    if (answer) await this.#take(answer);
  }

  /** The document, or undefined when there is no other than the one that was taken. */
  async #request(): Promise<Answer> {
    const response = await this.#options.http.request({
      path: this.#options.path,
      headers: this.#etag === undefined ? {} : { "if-none-match": this.#etag },
      signal: this.#abort.signal,
    });
    const text = (await readBody(response.body, MAX_PAYLOAD_BYTES)).toString("utf8");
    if (response.status === 304 || response.status === 204) return undefined;
    if (response.status !== 200) throw problemError(response.status, text);
    return { text, etag: response.headers.etag };
  }

  /** The ETag is kept only when the directive was taken: a failed one is asked for again. */
  async #take({ text, etag }: NonNullable<Answer>): Promise<void> {
    if ((await this.#options.offer(text)) === "deferred")
      throw new MusterError("request.conflict", "The document could not be taken now.");
    this.#etag = etag;
  }
}
