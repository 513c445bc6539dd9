import { Agent, request } from "node:http";
import { seededRandom } from "../models/training/random.ts";
import { vibrationWindow } from "../models/vibration/signal.ts";

/** What became of the requests of one feeder. */
export interface FeederCounts {
  /** Answered with 200: the device has the result on disk. */
  produced: number;
  /** Answered with an error, or not at all, since the first answer: before it there is nothing to serve. */
  failed: number;
}

/**
 * A sensor application on the box: sends one window of a synthetic bearing signal after the other to the runner
 * and asks that a result is answered only once it is on disk.
 */
export class Feeder {
  readonly #http = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #random: () => number;
  readonly #socketPath: string;
  readonly #intervalMs: number;
  readonly counts: FeederCounts = { produced: 0, failed: 0 };
  #timer: NodeJS.Timeout | undefined;
  #pending: Promise<void> = Promise.resolve();
  #sent = 0;

  constructor(socketPath: string, seed: number, perSecond: number) {
    this.#socketPath = socketPath;
    this.#random = seededRandom(seed);
    this.#intervalMs = 1000 / perSecond;
  }

  /** Once more where it runs is no change. */
  start(): void {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      this.#pending = this.#pending.then(() => this.#feed());
    }, this.#intervalMs);
  }

  /** Stops after the request in flight. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#pending;
    this.#http.destroy();
  }

  async #feed(): Promise<void> {
    const { data } = vibrationWindow(this.#random);
    this.#sent += 1;
    const body = JSON.stringify({
      id: `window-${this.#sent}`,
      parameters: { muster_durable: true },
      inputs: [{ name: "signal", datatype: "FP32", shape: [1, 1, data.length], data: [...data] }],
    });
    const status = await this.#post(body).catch(() => 0);
    if (status === 200) this.counts.produced += 1;
    else if (this.counts.produced > 0) this.counts.failed += 1;
  }

  #post(body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          agent: this.#http,
          socketPath: this.#socketPath,
          path: "/v2/models/vibration/infer",
          method: "POST",
          headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
          timeout: 15_000,
        },
        (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
          response.on("error", reject);
        },
      );
      call.on("timeout", () => call.destroy(new Error("no answer in time")));
      call.on("error", reject);
      call.end(body);
    });
  }
}
