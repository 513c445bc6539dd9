import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { MusterError } from "@muster/shared/errors";
import { FEEDER_DEFAULTS, type HttpSource } from "../config.ts";
import { contentTypeOf } from "../content-type.ts";
import type { SourceStatus } from "../control.ts";
import { readOwned, readSecret } from "../secrets.ts";
import { LiveFeed } from "./live-feed.ts";

const MIB = 1024 * 1024;

export interface HttpFeedPorts {
  readonly prefix: string;
  readonly status: SourceStatus;
  readonly monotonic: () => number;
  readonly dropped: (message: string) => void;
  readonly trouble: (error: MusterError) => void;
}

/** Asks a URL again and again, e.g. for the still picture of a camera. One question at a time. */
export class HttpFeed extends LiveFeed {
  readonly #source: HttpSource;
  readonly #ports: HttpFeedPorts;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void> | undefined;
  #last = "";

  constructor(source: HttpSource, ports: HttpFeedPorts) {
    super(source, ports.prefix, ports.status, ports.dropped);
    this.#source = source;
    this.#ports = ports;
  }

  start(): void {
    this.#timer = setInterval(() => this.#ask(), this.#source.everyMs);
    this.#ask();
  }

  protected async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#asking;
  }

  /** A server slower than the interval is asked less often. */
  #ask(): void {
    this.#asking ??= this.#fetch()
      .then(
        ({ body, type }) => {
          this.#take(body, type);
        },
        (error: unknown) => {
          if (this.#stop.signal.aborted) return;
          this.#ports.trouble(
            error instanceof MusterError
              ? error
              : new MusterError("source.unreachable", (error as Error).message, { cause: error }),
          );
        },
      )
      .finally(() => {
        this.#asking = undefined;
      });
  }

  #take(body: Buffer, type: string | undefined): void {
    const { contentType, skipSame, url } = this.#source;
    if (skipSame) {
      const digest = createHash("sha256").update(body).digest("base64");
      if (digest === this.#last) return;
      this.#last = digest;
    }
    this.push({
      origin: withoutQuery(url),
      body,
      contentType: contentType ?? type ?? contentTypeOf(body, url),
      receivedAt: this.#ports.monotonic(),
    });
  }

  async #fetch(): Promise<{ body: Buffer; type: string | undefined }> {
    const { url, username, passwordFile, caFile, timeoutMs = FEEDER_DEFAULTS.timeoutMs } = this.#source;
    const limit = (this.#source.maxMib ?? FEEDER_DEFAULTS.maxMib) * MIB;
    const password = passwordFile === undefined ? "" : await readSecret(passwordFile);
    const options = {
      signal: this.#stop.signal,
      ...(username !== undefined && { auth: `${username}:${password}` }),
      ...(caFile !== undefined && { ca: await readOwned(caFile) }),
    };
    return new Promise((resolve, reject) => {
      const ask = url.startsWith("https:") ? httpsRequest : httpRequest;
      const outgoing = ask(url, options, (incoming) => {
        const fail = (message: string) => outgoing.destroy(new MusterError("source.unreachable", message));
        if (incoming.statusCode !== 200) return fail(`It answered ${incoming.statusCode}.`);
        const chunks: Buffer[] = [];
        let length = 0;
        incoming.on("data", (chunk: Buffer) => {
          length += chunk.byteLength;
          if (length > limit) fail(`What it gives is larger than ${limit} bytes.`);
          else chunks.push(chunk);
        });
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({ body: Buffer.concat(chunks), type: knownType(incoming.headers["content-type"]) }),
        );
      });
      const timer = setTimeout(
        () => outgoing.destroy(new MusterError("source.unreachable", `No answer in ${timeoutMs} ms.`)),
        timeoutMs,
      );
      outgoing.on("error", reject);
      outgoing.on("close", () => {
        clearTimeout(timer);
        reject(new MusterError("source.unreachable", "The connection was closed."));
      });
      outgoing.end();
    });
  }
}

/** Cameras take logins in the query; where inputs come from is told to sinks and the control plane. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** Servers that know no better say octet-stream: that tells nothing. */
const knownType = (header = ""): string | undefined => {
  const type = header.split(";", 1)[0]!.trim().toLowerCase();
  return /^(image\/(jpeg|png)|application\/(json|x-muster-signal))$/.test(type) ? type : undefined;
};
