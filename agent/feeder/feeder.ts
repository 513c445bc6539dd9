import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ErrorCode } from "@muster/shared/errors";
import { restartDelay } from "../inference/backoff.ts";
import { forwardLines } from "../inference/output-lines.ts";
import type { LogPort } from "../inference/ports.ts";
import type { FeederCounts, FeederOrder, FromFeeder, RunnerAddress, ToFeeder } from "./control.ts";

const EXECUTABLE = fileURLToPath(import.meta.resolve("@muster/agent/feeder/main"));
const EXEC_ARGV = ["--max-semi-space-size=2"];
const PING_MS = 1000;
/** Unanswered pings that are one too many. */
const PATIENCE = 15;
const RESTART = { minSeconds: 0.5, maxSeconds: 60, stableMs: 60_000 };
const STOP_MS = 4000;

export interface FeederPorts {
  readonly order: FeederOrder;
  readonly runner: () => RunnerAddress;
  readonly event: (code: ErrorCode, message: string) => void;
  readonly log: LogPort;
}

export interface FeederStatus extends FeederCounts {
  readonly pid: number | null;
  readonly rssBytes: number;
  readonly restarts: number;
}

/**
 * The child process of sources and sinks, started again when it ends or hangs. It ends by itself when its channel to
 * this process is gone, however this process ended.
 */
export class Feeder {
  readonly #ports: FeederPorts;
  #child: ChildProcess | undefined;
  #sent = 0;
  #answered = 0;
  #timer: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #counts: FeederCounts = { sources: [], sinks: [] };
  #rssBytes = 0;
  #restarts = 0;
  #attempt = 0;
  #startedAt = 0;
  #isStopped = false;

  constructor(ports: FeederPorts) {
    this.#ports = ports;
  }

  start(): void {
    const { log, order } = this.#ports;
    const child = fork(EXECUTABLE, [], {
      execArgv: EXEC_ARGV,
      silent: true,
      // It has no business with the secret that lets a device in.
      env: { ...process.env, MUSTER_JOIN_TOKEN: "" },
    });
    this.#child = child;
    this.#sent = 0;
    this.#answered = 0;
    this.#startedAt = performance.now();
    for (const stream of [child.stdout, child.stderr])
      if (stream)
        forwardLines(
          stream,
          (line) => log.info({ feeder: child.pid }, line),
          () => performance.now(),
        );
    child.on("message", (message: FromFeeder) => this.#receive(message));
    child.on("error", (error) => {
      // Of a process that could not be started, no end is told.
      if (child.pid === undefined) this.#ended(error.message);
      else log.warn({ feeder: child.pid, error: error.message }, "feeder channel");
    });
    child.once("exit", (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    this.#send({ kind: "start", order });
    this.#timer = setInterval(() => this.#ping(), PING_MS);
    this.#ping();
    log.info({ feeder: child.pid }, "sources and sinks have started");
  }

  /** Lets it end what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    this.#send({ kind: "stop" });
    await ended;
    clearTimeout(timer);
  }

  status(): FeederStatus {
    const pid = this.#child?.exitCode === null ? (this.#child.pid ?? null) : null;
    return { pid, rssBytes: this.#rssBytes, restarts: this.#restarts, ...this.#counts };
  }

  /** Pings are counted and not the time: a machine that slept must not make a healthy feeder look hung. */
  #ping(): void {
    if (this.#sent - this.#answered >= PATIENCE) {
      this.#child?.kill("SIGKILL");
      return;
    }
    this.#sent += 1;
    this.#send({ kind: "ping", count: this.#sent, runner: this.#ports.runner() });
  }

  #send(message: ToFeeder): void {
    if (this.#child?.connected) this.#child.send(message, () => {});
  }

  #receive(message: FromFeeder): void {
    if (message.kind === "event") {
      this.#ports.log.warn({ code: message.code }, message.message);
      this.#ports.event(message.code, message.message);
      return;
    }
    this.#answered = message.count;
    this.#counts = message.counts;
    this.#rssBytes = message.rssBytes;
  }

  #ended(how: string): void {
    clearInterval(this.#timer);
    if (this.#isStopped) return;
    const { event, log } = this.#ports;
    const text = `The process of sources and sinks (pid ${this.#child?.pid}) ended: ${how}.`;
    log.error({ code: "feeder.crashed" }, text);
    event("feeder.crashed", text);
    if (performance.now() - this.#startedAt > RESTART.stableMs) this.#attempt = 0;
    this.#restarts += 1;
    const seconds = restartDelay(this.#attempt, RESTART.minSeconds, RESTART.maxSeconds);
    this.#attempt += 1;
    this.#restart = setTimeout(() => this.start(), seconds * 1000);
  }
}
