import { asMusterError, type MusterError } from "@muster/shared/errors";
import type { RunningComponent } from "@muster/shared/protocol/state";
import type { FromRunner } from "../runner/control.ts";
import { restartDelay } from "./backoff.ts";
import type { Deployment } from "./deployment.ts";
import type { Endpoint } from "./endpoint.ts";
import { type LaunchContext, type Launched, launch } from "./launch.ts";
import type { InferencePorts } from "./ports.ts";
import type { Report, RunnerProcess } from "./runner-process.ts";
import { Watchdog } from "./watchdog.ts";

/** Time between pings, milliseconds. */
const PING_MS = 1000;

export interface ServeContext extends LaunchContext, Pick<InferencePorts, "onEvent"> {
  readonly endpoint: Endpoint;
  /** Takes what runners report; it outlives this release. */
  readonly onReport: (release: ServedRelease, runner: RunnerProcess, report: Report) => void;
  readonly onChange: () => void;
  /** A served runner crashed or hung and is started again. */
  readonly onCrash: (release: ServedRelease) => void;
}

type Listening = Extract<FromRunner, { kind: "listening" }>;

/** Keeps one release served: listens, watches the runner and starts it again when it crashes or hangs. */
export class ServedRelease {
  readonly deployment: Deployment;
  state: "starting" | "ready" | "failed" = "starting";
  components: RunningComponent[];
  crashes = 0;
  rssBytes = 0;
  listening: Listening | undefined;
  readonly #context: ServeContext;
  #runner: RunnerProcess | undefined;
  #launching: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #readySince: number | undefined;
  /** The runner of now has begun to listen: its end is a crash and not a failed begin. */
  #begun = false;
  readonly #retired = new AbortController();

  constructor(context: ServeContext, deployment: Deployment, { runner, components }: Launched) {
    this.#context = context;
    this.deployment = deployment;
    this.components = components;
    this.#runner = runner;
  }

  get pid(): number | null {
    return this.#runner?.pid ?? null;
  }

  /**
   * The launched runner begins to listen.
   * @throws MusterError `runner.crashed` or `runner.hung` when it does not; then nothing is served
   */
  async begin(): Promise<void> {
    const runner = this.#runner!;
    this.#begun = false;
    this.#watch(runner);
    try {
      await this.#listen(runner);
      if (runner.ended) throw runner.ended;
      this.#begun = true;
    } catch (error) {
      runner.end();
      await runner.exited;
      throw error;
    }
  }

  /** Lets the runner end its connections and go, and starts none again. Resolves when it is gone. */
  async retire(idleConnections: "keep" | "close", seconds: number): Promise<void> {
    this.#retired.abort();
    clearTimeout(this.#timer);
    await this.#launching;
    const runner = this.#runner;
    if (!runner || runner.ended) return;
    try {
      await runner.ask({ kind: "drain", idleConnections }, "drained", seconds);
    } catch (error) {
      const { code, message } = asMusterError(error);
      this.#context.log.warn(
        { runner: runner.pid, code },
        `old runner did not end in good order: ${message}`,
      );
    }
    await runner.exited;
  }

  async #listen(runner: RunnerProcess): Promise<void> {
    const { endpoint, settings } = this.#context;
    const message = { kind: "listen", address: await endpoint.address() } as const;
    const answer = await runner.ask(message, "listening", settings.startSeconds);
    if (answer.port !== null || answer.socketPath !== null) {
      endpoint.hold(runner, answer.port);
      void runner.exited.then(() => endpoint.release(runner));
    }
    this.#listens(runner, answer);
  }

  #listens(runner: RunnerProcess, answer: Listening): void {
    const { failure, port, socketPath } = answer;
    const known = this.listening?.failure;
    this.listening = answer;
    if (failure && !this.#retired.signal.aborted) {
      if (failure.message !== known?.message)
        this.#context.onEvent({ code: failure.code, message: failure.message });
      this.#timer = setTimeout(
        () => void this.#listenAgain(runner),
        this.#context.settings.listenRetrySeconds * 1000,
      );
    }
    const reachable = port !== null || socketPath !== null;
    if (reachable) this.#readySince ??= performance.now();
    this.#become(reachable ? "ready" : "failed");
  }

  async #listenAgain(runner: RunnerProcess): Promise<void> {
    if (this.#retired.signal.aborted || this.#runner !== runner || runner.ended) return;
    // A runner that dies meanwhile is dealt with where its end is awaited.
    await this.#listen(runner).catch(() => {});
  }

  #watch(runner: RunnerProcess): void {
    const { settings, log } = this.#context;
    const patience = Math.max(1, Math.round((settings.hangSeconds * 1000) / PING_MS));
    const watchdog = new Watchdog(patience);
    const beat = () => {
      const count = watchdog.beat();
      if (count === "hung") runner.hang(settings.hangSeconds);
      else runner.send({ kind: "ping", count });
    };
    const timer = setInterval(beat, PING_MS);
    beat();
    runner.onReport((report) => {
      if (report.kind === "pong") {
        watchdog.answered(report.count);
        this.rssBytes = report.rssBytes;
      }
      this.#context.onReport(this, runner, report);
    });
    void runner.exited.then((failure) => {
      clearInterval(timer);
      if (!failure) return;
      log.error({ runner: runner.pid, code: failure.code }, failure.message);
      if (this.#begun) this.#crashed(failure);
    });
  }

  #crashed(failure: MusterError): void {
    if (this.#retired.signal.aborted) return;
    this.crashes += 1;
    this.rssBytes = 0;
    this.#context.onCrash(this);
    this.#context.onEvent({ code: failure.code, message: failure.message });
    const stableMs = this.#context.settings.stableSeconds * 1000;
    if (this.#readySince !== undefined && performance.now() - this.#readySince >= stableMs)
      this.#attempts = 0;
    this.#readySince = undefined;
    this.#runner = undefined;
    this.listening = undefined;
    this.#become("starting");
    this.#restartLater();
  }

  #restartLater(): void {
    const { restartMinSeconds, restartMaxSeconds } = this.#context.settings;
    const seconds = restartDelay(this.#attempts, restartMinSeconds, restartMaxSeconds);
    this.#attempts += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#launching = this.#restart();
    }, seconds * 1000);
  }

  async #restart(): Promise<void> {
    try {
      const { runner, components } = await launch(this.#context, this.deployment, this.#retired.signal);
      this.#runner = runner;
      this.components = components;
      if (this.#retired.signal.aborted) return;
      await this.begin();
    } catch (error) {
      this.#notRestarted(asMusterError(error));
    }
  }

  /** A model that cannot be loaded is another matter than a runner that crashes: both are tried again. */
  #notRestarted(failure: MusterError): void {
    if (this.#retired.signal.aborted) return;
    if (failure.code === "runner.crashed" || failure.code === "runner.hung") {
      this.#crashed(failure);
      return;
    }
    this.#context.onEvent({ code: failure.code, message: failure.message });
    this.#become("failed");
    this.#restartLater();
  }

  #become(state: ServedRelease["state"]): void {
    const before = this.state;
    this.state = state;
    if (before !== state) this.#context.onChange();
  }
}
