import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type NetConnectOpts } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../free-port.ts";
import { SWTPM } from "../tools.ts";
import { type MakeOptions, manufacture } from "./manufacture.ts";

const run = promisify(execFile);
const PATIENCE_MS = 20_000;

/** A software TPM in a process of its own, with its state in a folder of its own. */
export class Swtpm {
  readonly directory: string;
  /** Certificate that its endorsement certificates are issued by, and the root above it, PEM; empty without any. */
  readonly issuer: string;
  readonly root: string;
  #child: ChildProcess | undefined;
  #port: number | undefined;

  private constructor(directory: string, made: { issuer: string; root: string }) {
    this.directory = directory;
    this.issuer = made.issuer;
    this.root = made.root;
  }

  /** @param options `isTcp`: it listens on a TCP port of its own in place of a Unix socket */
  static async make(options: MakeOptions & { isTcp?: boolean } = {}): Promise<Swtpm> {
    const directory = await mkdtemp(join(tmpdir(), "swtpm-"));
    const tpm = new Swtpm(directory, await manufacture(directory, options));
    if (options.isTcp) tpm.#port = await freePort();
    await tpm.#start();
    return tpm;
  }

  get socket(): string {
    return join(this.directory, "tpm.sock");
  }

  /** As the agent's setting `--tpm` takes it. */
  get setting(): string {
    return this.#port ? `swtpm:127.0.0.1:${this.#port}` : `swtpm:unix:${this.socket}`;
  }

  /**
   * Runs a program of tpm2-tools on it and takes out of the TPM again what that left there. Nobody else may be
   * connected meanwhile.
   * @returns what it printed
   */
  async tool(name: string, ...args: string[]): Promise<string> {
    const printed = await this.#run(name, args);
    if (name !== "shutdown") await this.#run("flushcontext", ["--transient-object"]);
    return printed;
  }

  /** As `tool`, and what it loaded stays in the TPM. */
  async leave(name: string, ...args: string[]): Promise<void> {
    await this.#run(name, args);
  }

  async #run(name: string, args: readonly string[]): Promise<string> {
    const { stdout } = await run(`/usr/bin/tpm2_${name}`, args, {
      cwd: this.directory,
      env: { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${this.socket}` },
      timeout: PATIENCE_MS,
    });
    return stdout;
  }

  /** The power is gone, and comes back. */
  async powerCut(): Promise<void> {
    await this.halt();
    await this.resume();
  }

  /** The power is gone. */
  halt(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** The power is back. */
  resume(): Promise<void> {
    return this.#start();
  }

  /** It takes connections and answers nothing any more, until `wake`. */
  hang(): void {
    this.#child?.kill("SIGSTOP");
  }

  wake(): void {
    this.#child?.kill("SIGCONT");
  }

  /** The system shuts down in an orderly way, and the box starts again. */
  async restart(): Promise<void> {
    await this.tool("shutdown", "--clear");
    await this.powerCut();
  }

  /** The box sleeps with its state saved, and wakes up. */
  async suspend(): Promise<void> {
    await this.tool("shutdown");
    await this.#end("SIGKILL");
    await this.#start("startup-state");
  }

  /** Ends the process and deletes the state. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
    await rm(this.directory, { recursive: true, force: true });
  }

  async #start(startup = "startup-clear"): Promise<void> {
    // It ends with the test, even where that is killed.
    const child = spawn(
      "/usr/bin/setpriv",
      [
        ...["--pdeathsig", "KILL", SWTPM],
        ...["socket", "--tpm2", "--tpmstate", `dir=${join(this.directory, "state")}`],
        "--server",
        this.#port ? `type=tcp,port=${this.#port}` : `type=unixio,path=${this.socket}`,
        ...["--ctrl", `type=unixio,path=${this.socket}.ctrl`],
        ...["--flags", `not-need-init,${startup}`],
      ],
      { stdio: "ignore" },
    );
    this.#child = child;
    const deadline = performance.now() + PATIENCE_MS;
    const target = this.#port ? { port: this.#port, host: "127.0.0.1" } : { path: this.socket };
    while (!(await answers(target))) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Error("swtpm did not start");
      await setTimeout(10);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
    await rm(this.socket, { force: true });
  }
}

async function answers(target: NetConnectOpts): Promise<boolean> {
  const socket = connect(target);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
