import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

const PROGRAM = join(
  dirname(createRequire(import.meta.url).resolve("@muster/agent/main")),
  "../bin/muster-agent.js",
);

/** The real program in a process of its own. */
export class AgentProcess {
  readonly child: ChildProcess;
  readonly lines: { msg: string; code?: string }[] = [];
  readonly errors: string[] = [];

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [PROGRAM, "run", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {},
    });
    createInterface({ input: this.child.stdout! }).on("line", (line) => this.lines.push(JSON.parse(line)));
    createInterface({ input: this.child.stderr! }).on("line", (line) => this.errors.push(line));
  }

  /** @returns exit code, or the signal that ended it */
  async ended(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "close");
    return this.child.exitCode ?? this.child.signalCode ?? "unknown";
  }

  end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    if (this.child.exitCode === null) this.child.kill(signal);
    return this.ended();
  }
}

/** Runs a command of the program to its end. */
export const command = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args], { env: {} }, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
