import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { SOCAT } from "../tools.ts";
import type { Swtpm } from "./swtpm.ts";

const PATIENCE_MS = 20_000;

/** A software TPM behind a character device, as the kernel shows a real one. */
export class AsDevice {
  readonly path: string;
  readonly #child: ChildProcess;

  private constructor(path: string, child: ChildProcess) {
    this.path = path;
    this.#child = child;
  }

  static async of(swtpm: Swtpm): Promise<AsDevice> {
    const path = join(swtpm.directory, "tpmrm0");
    const pty = `PTY,link=${path},rawer`;
    const child = spawn(SOCAT, [pty, `UNIX-CONNECT:${swtpm.socket}`], { stdio: "ignore" });
    const deadline = performance.now() + PATIENCE_MS;
    while (!existsSync(path)) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Error("socat did not start");
      await setTimeout(10);
    }
    return new AsDevice(path, child);
  }

  /** It answers no more. */
  hang(): void {
    this.#child.kill("SIGSTOP");
  }

  /** It answers what waited. */
  goOn(): void {
    this.#child.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.goOn();
    this.#child.kill("SIGTERM");
    await ended;
  }
}
