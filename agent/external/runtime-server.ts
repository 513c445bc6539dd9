import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, isMusterError, MusterError } from "@muster/shared/errors";
import { type OipAnswer, OipClient } from "./oip-client.ts";
import { errorOf } from "./oip-tensors.ts";
import type { ExternalRuntime } from "./runtime.ts";
import { type ServerOrder, ServerProcess } from "./server-process.ts";

const DEFAULTS = { readySeconds: 60, answerSeconds: 30, healthSeconds: 5 };

/** Time between two looks whether a starting server is ready, milliseconds. */
const READY_POLL_MS = 50;

/** Unhealthy answers, one after the other, after which a server counts as lost. */
const MOST_UNHEALTHY = 3;

/**
 * A running server of an external runtime with its model. Once it is lost it stays lost: whoever uses it starts another.
 */
export class RuntimeServer {
  readonly path: string;
  readonly #process: ServerProcess;
  readonly #client: OipClient;
  readonly #limits: typeof DEFAULTS;
  readonly #onLost: (failure: MusterError) => void;
  #lost: MusterError | undefined;
  #closed = false;
  #asked = 0;
  #unhealthy = 0;
  #health: NodeJS.Timeout | undefined;

  private constructor(
    server: ServerProcess,
    { readySeconds, answerSeconds, healthSeconds }: ExternalRuntime,
    path: string,
    onLost: (failure: MusterError) => void,
  ) {
    this.#process = server;
    this.#client = new OipClient(server.address);
    this.path = path;
    this.#limits = {
      readySeconds: readySeconds ?? DEFAULTS.readySeconds,
      answerSeconds: answerSeconds ?? DEFAULTS.answerSeconds,
      healthSeconds: healthSeconds ?? DEFAULTS.healthSeconds,
    };
    this.#onLost = onLost;
  }

  /**
   * Starts a server and waits until it is ready with the model.
   * @param onLost told once when a server that was ready is gone or does not answer any more
   * @throws MusterError `runtime.start-failed` with the end of what it printed
   */
  static async start(
    runtime: ExternalRuntime,
    order: ServerOrder,
    onLost: (failure: MusterError) => void,
  ): Promise<RuntimeServer> {
    const child = await ServerProcess.start(runtime, order);
    const path = `/v2/models/${encodeURIComponent(order.name)}`;
    const server = new RuntimeServer(child, runtime, path, onLost);
    try {
      await server.#ready();
    } catch (error) {
      await server.close();
      throw error;
    }
    void child.exited.then((how) => server.#lose("runtime.crashed", `It ${how}.`));
    server.#watch();
    return server;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Model metadata as the server tells it. @throws MusterError of the runtime family */
  describe(): Promise<OipAnswer> {
    return this.#ask((client, timeoutMs) => client.get(this.path, timeoutMs));
  }

  /** @throws MusterError `inference.failed` for what the server refuses, or of the runtime family */
  async infer(json: string, blobs: readonly Uint8Array[]): Promise<OipAnswer> {
    const answer = await this.#ask((client, timeoutMs) =>
      client.infer(`${this.path}/infer`, json, blobs, timeoutMs),
    );
    if (answer.status === 200) return answer;
    throw new MusterError("inference.failed", `The external runtime refused: ${errorOf(answer)}.`);
  }

  /** Ends the server and all that it started. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#health);
    this.#client.close();
    this.#process.kill();
    await this.#process.exited;
  }

  async #ready(): Promise<void> {
    const { readySeconds } = this.#limits;
    const end = performance.now() + readySeconds * 1000;
    let last = "it did not listen";
    for (;;) {
      const left = end - performance.now();
      if (this.#process.ended !== undefined) throw this.#notStarted(`It ${this.#process.ended}.`);
      if (left <= 0) throw this.#notStarted(`It was not ready after ${readySeconds} s: ${last}.`);
      const state = await this.#isReady(left);
      if (state === true) return;
      last = state;
      await Promise.race([sleep(READY_POLL_MS), this.#process.exited]);
    }
  }

  async #isReady(timeoutMs: number): Promise<true | string> {
    try {
      for (const path of ["/v2/health/ready", `${this.path}/ready`]) {
        const answer = await this.#client.get(path, timeoutMs);
        if (answer.status !== 200) return `${path} says ${errorOf(answer)}`;
      }
      return true;
    } catch (error) {
      return asMusterError(error).message;
    }
  }

  #notStarted(reason: string): MusterError {
    const { output } = this.#process;
    const said = output === "" ? "" : ` It said: ${output}`;
    return new MusterError("runtime.start-failed", `The external runtime did not start. ${reason}${said}`);
  }

  async #ask(ask: (client: OipClient, timeoutMs: number) => Promise<OipAnswer>): Promise<OipAnswer> {
    if (this.#lost) throw this.#lost;
    const { answerSeconds } = this.#limits;
    this.#asked += 1;
    try {
      return await ask(this.#client, answerSeconds * 1000);
    } catch (error) {
      if (this.#lost) throw this.#lost;
      if (isMusterError(error, "request.timeout"))
        throw this.#lose("runtime.hung", `It did not answer within ${answerSeconds} s.`);
      if (isMusterError(error, "request.unreachable")) throw await this.#whyUnreachable(error);
      throw error;
    } finally {
      this.#asked -= 1;
    }
  }

  /** A connection breaks a moment before the end of the process is known. */
  async #whyUnreachable(error: MusterError): Promise<MusterError> {
    await Promise.race([this.#process.exited, sleep(100)]);
    const how = this.#process.ended;
    return how === undefined
      ? new MusterError("inference.failed", error.message, { cause: error })
      : this.#lose("runtime.crashed", `It ${how}.`);
  }

  #lose(code: "runtime.crashed" | "runtime.hung", reason: string): MusterError {
    if (this.#lost) return this.#lost;
    const { output } = this.#process;
    const said = output === "" ? "" : ` It said last: ${output}`;
    const failure = new MusterError(code, `The external runtime is lost. ${reason}${said}`);
    this.#lost = failure;
    clearTimeout(this.#health);
    this.#process.kill();
    if (!this.#closed) this.#onLost(failure);
    return failure;
  }

  /** While requests are answered they tell enough. */
  #watch(): void {
    const { healthSeconds } = this.#limits;
    this.#health = setTimeout(async () => {
      const state = this.#asked > 0 ? true : await this.#isReady(healthSeconds * 1000);
      this.#unhealthy = state === true || this.#asked > 0 ? 0 : this.#unhealthy + 1;
      if (this.#closed || this.#lost) return;
      if (this.#unhealthy >= MOST_UNHEALTHY)
        this.#lose("runtime.hung", `${MOST_UNHEALTHY} looks at its health failed: ${state}.`);
      else this.#watch();
    }, healthSeconds * 1000);
    this.#health.unref();
  }
}
