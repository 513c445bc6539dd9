import cluster, { type Worker } from "node:cluster";
import { fileURLToPath } from "node:url";
import { MusterError } from "@muster/shared/errors";
import type { FromRunner, ToRunner } from "../runner/control.ts";
import { forwardLines } from "./output-lines.ts";
import type { LogPort } from "./ports.ts";

const EXECUTABLE = fileURLToPath(import.meta.resolve("@muster/agent/runner/main"));

/** Half the nursery of Node: a smaller one costs a tenth of the requests per second, a larger one only memory. */
const EXEC_ARGV = ["--max-semi-space-size=8"];

/** A runner has no business with the secret that lets a device in. */
const ENVIRONMENT = { MUSTER_JOIN_TOKEN: "" };

type AnswerKind = "up" | "loaded" | "golden-passed" | "listening" | "shadow-ready" | "drained";
type Answer<K extends AnswerKind> = Extract<FromRunner, { kind: K }>;

interface Pending {
  readonly kind: AnswerKind;
  readonly timer: NodeJS.Timeout;
  resolve(answer: FromRunner): void;
  reject(error: MusterError): void;
}

/** What a runner says without having been asked. */
export type Report = Extract<FromRunner, { kind: "results" | "report" }>;

/** A sign of life. */
type Pulse = Extract<FromRunner, { kind: "pong" | "batch" }>;

/**
 * A runner child and its control channel. It is a cluster worker with `SCHED_NONE`: the listening handle is shared,
 * connections are accepted in the child, and while one child lets go of the handle another one has it already.
 */
export class RunnerProcess {
  readonly pid: number;
  /** Resolves with why it ended; undefined when it was told to and did. */
  readonly exited: Promise<MusterError | undefined>;
  readonly #worker: Worker;
  readonly #log: LogPort;
  #last: Promise<unknown> = Promise.resolve();
  #pending: Pending | undefined;
  #killed: MusterError | undefined;
  #ended: MusterError | undefined;
  #dismissed = false;
  /** What it said went wrong, when nobody had asked. */
  #lastWords = "";
  #onReport: (report: Report) => void = () => {};
  #onPulse: (sign: Pulse) => void = () => {};

  private constructor(worker: Worker, log: LogPort) {
    this.#worker = worker;
    this.#log = log;
    this.pid = worker.process.pid ?? 0;
    this.exited = new Promise((resolve) => {
      worker.process.once("error", (cause) => {
        if (worker.process.pid === undefined) resolve(this.#end(`could not be started: ${cause.message}`));
      });
      worker.process.once("exit", (code, signal) =>
        resolve(this.#end(signal ? `was ended by ${signal}` : `ended with exit code ${code}`)),
      );
    });
    worker.on("error", (error) => log.warn({ runner: this.pid, error: error.message }, "runner channel"));
    worker.on("message", (message: FromRunner) => this.#receive(message));
    for (const stream of [worker.process.stdout, worker.process.stderr]) {
      if (!stream) continue;
      const told = (line: string) => log.info({ runner: this.pid }, line);
      forwardLines(stream, told, () => performance.now());
    }
  }

  static fork(log: LogPort): RunnerProcess {
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({
      exec: EXECUTABLE,
      args: [],
      execArgv: EXEC_ARGV,
      silent: true,
      serialization: "advanced",
    });
    return new RunnerProcess(cluster.fork(ENVIRONMENT), log);
  }

  /**
   * Resolves when it takes messages; to be called right after `fork`.
   * @throws MusterError `runner.crashed` or `runner.hung`
   */
  async started(seconds: number): Promise<void> {
    await this.#expect("up", seconds);
  }

  /** Why it ended, or undefined while it runs. */
  get ended(): MusterError | undefined {
    return this.#ended;
  }

  onReport(listener: (report: Report) => void): void {
    this.#onReport = listener;
  }

  onPulse(listener: (sign: Pulse) => void): void {
    this.#onPulse = listener;
  }

  /** Sends without an answer; a runner that is gone tells so through `exited`. */
  send(message: ToRunner): void {
    if (this.#worker.process.connected) this.#worker.process.send(message, () => {});
  }

  /**
   * Asks and waits, one question after the other. A runner that does not answer within `seconds` is killed.
   * @throws MusterError what the runner answers, `runner.crashed` or `runner.hung`
   */
  ask<K extends AnswerKind>(message: ToRunner, kind: K, seconds: number): Promise<Answer<K>> {
    const answer = this.#last.then(() => {
      const expected = this.#expect(kind, seconds);
      this.send(message);
      return expected;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** Ends it at once because it hangs. @param how what shows it, after "the runner" */
  hang(how: string): void {
    this.#kill(`The runner (pid ${this.pid}) ${how}.`);
  }

  /** Ends it at once because it is not needed: `exited` resolves with undefined. */
  end(): void {
    this.#dismissed = true;
    this.#worker.process.kill("SIGKILL");
  }

  #expect<K extends AnswerKind>(kind: K, seconds: number): Promise<Answer<K>> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      const timer = setTimeout(() => {
        this.#kill(`The runner (pid ${this.pid}) did not come to '${kind}' within ${seconds} s.`);
      }, seconds * 1000);
      this.#pending = { kind, timer, resolve: resolve as (answer: FromRunner) => void, reject };
    });
  }

  #kill(reason: string): void {
    this.#killed ??= new MusterError("runner.hung", reason);
    this.#worker.process.kill("SIGKILL");
  }

  #receive(message: FromRunner): void {
    if (message.kind === "results" || message.kind === "report") this.#onReport(message);
    else if (message.kind === "pong" || message.kind === "batch") this.#onPulse(message);
    else this.#receiveAnswer(message);
  }

  #receiveAnswer(message: Exclude<FromRunner, Report | Pulse>): void {
    if (message.kind === "drained") this.#dismissed = true;
    const pending = this.#pending;
    if (message.kind !== "failed" && message.kind !== pending?.kind) return;
    this.#pending = undefined;
    clearTimeout(pending?.timer);
    if (message.kind !== "failed") pending?.resolve(message);
    else if (pending) pending.reject(new MusterError(message.code, message.message));
    else {
      this.#lastWords = ` It said before: ${message.message}`;
      this.#log.error({ runner: this.pid, code: message.code }, message.message);
    }
  }

  #end(how: string): MusterError | undefined {
    this.#ended =
      this.#killed ??
      new MusterError("runner.crashed", `The runner (pid ${this.pid}) ${how}.${this.#lastWords}`);
    clearTimeout(this.#pending?.timer);
    this.#pending?.reject(this.#ended);
    this.#pending = undefined;
    return this.#dismissed && !this.#killed ? undefined : this.#ended;
  }
}
