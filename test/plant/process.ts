import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

export interface ProcessOptions {
  /** Where stdout and stderr are kept. */
  log: string;
  env?: Record<string, string>;
}

/** A real child process with its output in a file. */
export class Process {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly name: string;

  constructor(name: string, script: string, args: readonly string[], options: ProcessOptions) {
    this.name = name;
    mkdirSync(dirname(options.log), { recursive: true });
    const log = createWriteStream(options.log, { flags: "a" });
    this.#child = spawn(process.execPath, [script, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    this.#child.stdout?.pipe(log);
    this.#child.stderr?.pipe(log);
    this.#ended = once(this.#child, "exit");
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** First JSON document on stdout. @throws Error when the process ends before it wrote one */
  document<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      let text = "";
      this.#child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk;
        try {
          resolve(JSON.parse(text) as T);
        } catch {
          // The document is not complete yet.
        }
      });
      this.#child.once("exit", (code, signal) =>
        reject(new Error(`${this.name} ended with ${signal ?? code} before it was ready: ${text}`)),
      );
    });
  }

  /** Ends the process and waits for it: SIGTERM asks, SIGKILL is a power cut. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    if (!this.running) return;
    this.#child.kill(signal);
    const impatient = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#ended;
    clearTimeout(impatient);
  }
}
