import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, catalogue, isMusterError, MusterError } from "@muster/shared/errors";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { EXAMPLE_HEADERS, EXAMPLE_PART_BYTES, ExampleReceipt } from "@muster/shared/protocol/example-upload";
import { parseJson } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";
import type { DeviceHttp } from "../link/device-http.ts";
import { problemError, readBody } from "../link/response.ts";
import type { Spool } from "./spool.ts";

export interface UploaderPorts {
  readonly spool: Spool;
  readonly http: Pick<DeviceHttp, "request">;
  /** The line is up and nothing that matters more waits for it. */
  readonly idle: () => boolean;
  readonly event: (code: "example.refused", message: string) => void;
  readonly log: { info(fields: object, message: string): void };
  /** 0 to 1. */
  readonly random: () => number;
}

export interface UploaderSettings {
  /** Time between two looks into the spool, milliseconds. */
  readonly lookMs: number;
  /** Share of the line that examples take, bytes a second. */
  readonly bytesPerSecond: number;
}

const MAX_ANSWER_BYTES = 64 * 1024;
/** Longest wait after a failure, milliseconds. */
const LONGEST_WAIT_MS = 1_800_000;
/** Wait after the control plane has no room, milliseconds. */
const QUOTA_WAIT_MS = 1_800_000;

/**
 * Sends spooled examples one at a time while the line has nothing better to do, no faster than its share, the hardest
 * first. One is deleted once the control plane has acknowledged it; it is known by its digest there, so that one that
 * is sent twice is kept once.
 */
export class Uploader {
  readonly #ports: UploaderPorts;
  readonly #settings: UploaderSettings;
  readonly #stopping = new AbortController();
  #failures = 0;
  #running: Promise<void> | undefined;

  constructor(ports: UploaderPorts, settings: UploaderSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    await this.#ports.spool.tidy(Date.now()).catch(() => undefined);
    while (!signal.aborted) {
      const waitMs = await this.#round().catch((error: unknown) => this.#failed(asMusterError(error)));
      await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Sends at most one. @returns how long to wait then, milliseconds */
  async #round(): Promise<number> {
    const { lookMs } = this.#settings;
    if (!this.#ports.idle()) return lookMs;
    const [next] = await this.#ports.spool.list();
    if (!next) return lookMs;
    const bytes = await this.#ports.spool.read(next);
    if (!bytes) return 0;
    try {
      if (!(await this.#send(bytes))) return lookMs;
    } catch (error) {
      const failure = asMusterError(error);
      // The control plane will never take it: keeping it would keep the others from being sent.
      if (!isFinal(failure)) throw failure;
      this.#ports.event("example.refused", `A hard example was refused and deleted: ${failure.message}`);
    }
    this.#failures = 0;
    await this.#ports.spool.remove(next);
    return 0;
  }

  /** Goes on where an earlier attempt ended; between two parts the line is free for what matters more. */
  async #send(bytes: Uint8Array): Promise<boolean> {
    const { signal } = this.#stopping;
    const digest = sha256(bytes);
    let { received, stored } = await this.#part(digest, bytes, 0, 0);
    while (!stored) {
      const end = Math.min(bytes.byteLength, received + EXAMPLE_PART_BYTES);
      const sent = end - received;
      if (sent <= 0)
        throw new MusterError("request.conflict", "The control plane has it all and not stored it.");
      ({ received, stored } = await this.#part(digest, bytes, received, end));
      await sleep((1000 * sent) / this.#settings.bytesPerSecond, undefined, { signal, ref: false });
      if (!stored && !this.#ports.idle()) return false;
    }
    return true;
  }

  async #part(digest: string, bytes: Uint8Array, from: number, to: number): Promise<ExampleReceipt> {
    const response = await this.#ports.http.request({
      method: "POST",
      path: DEVICE_API.examples,
      headers: {
        "content-type": "application/octet-stream",
        [EXAMPLE_HEADERS.digest]: digest,
        [EXAMPLE_HEADERS.size]: String(bytes.byteLength),
        [EXAMPLE_HEADERS.offset]: String(from),
      },
      body: bytes.subarray(from, to),
      signal: this.#stopping.signal,
    });
    const text = (await readBody(response.body, MAX_ANSWER_BYTES)).toString("utf8");
    if (response.status < 200 || response.status > 299) throw problemError(response.status, text);
    return parseJson(ExampleReceipt, text, "wire.malformed");
  }

  #failed(error: MusterError): number {
    const { lookMs } = this.#settings;
    this.#failures += 1;
    const backoff = Math.min(LONGEST_WAIT_MS, lookMs * 2 ** Math.min(this.#failures, 20));
    const waitMs = isMusterError(error, "example.quota") ? Math.max(backoff, QUOTA_WAIT_MS) : backoff;
    this.#ports.log.info({ code: error.code, waitMs }, `examples are not sent now: ${error.message}`);
    return waitMs * (0.5 + this.#ports.random() / 2);
  }
}

/** Codes with which the control plane says that this example, and not the moment, is at fault. */
const isFinal = ({ code }: MusterError): boolean => code.startsWith("example.") && !catalogue[code].retryable;
