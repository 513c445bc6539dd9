import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { MusterError } from "@muster/shared/errors";
import { GUARD, SIGNAL_STATUS } from "./guard.ts";
import type { ExternalRuntime } from "./runtime.ts";

/** Last characters of what the server printed that are kept for the reason of a failure. */
const KEPT_OUTPUT = 400;

/** Where the server was told to listen. */
export type ServerAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number };

export interface ServerOrder {
  readonly modelPath: string;
  /** Name under which the server is asked for the model. */
  readonly name: string;
}

/** A server of an external runtime, which ends with this process. */
export class ServerProcess {
  readonly address: ServerAddress;
  /** Resolves when it is gone, with what happened. */
  readonly exited: Promise<string>;
  /** Undefined until the shell has told it. */
  pid: number | undefined;
  ended: string | undefined;
  readonly #guard: ChildProcess;
  #output = "";

  private constructor(guard: ChildProcess, address: ServerAddress, folder: string) {
    this.#guard = guard;
    this.address = address;
    for (const stream of [guard.stdout, guard.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-KEPT_OUTPUT);
        process.stderr.write(chunk);
      });
    guard.stdio[3]?.on("data", (chunk: Buffer) => {
      this.pid = Number(chunk.toString().trim());
    });
    for (const stream of guard.stdio) stream?.on("error", () => {});
    this.exited = new Promise((resolve) => {
      const gone = (how: string) => {
        this.ended ??= how;
        this.kill();
        // The shell does it where this process cannot; it may have been killed before it could.
        if (folder !== "") rmSync(folder, { recursive: true, force: true });
        resolve(this.ended);
      };
      guard.once("error", (error) => gone(`could not be started: ${error.message}`));
      guard.once("exit", (code, signal) => gone(endOf(code, signal)));
    });
  }

  /**
   * Starts the server.
   * @throws MusterError `runtime.start-failed` where no place to listen can be had
   */
  static async start(runtime: ExternalRuntime, order: ServerOrder): Promise<ServerProcess> {
    const { command, args = [], env = {} } = runtime;
    const usesSocket = [...args, ...Object.values(env)].some((text) => text.includes("{socket}"));
    const folder = usesSocket ? await mkdtemp(join(tmpdir(), "muster-ext-")) : "";
    const address = usesSocket
      ? { socketPath: join(folder, "s") }
      : { host: "127.0.0.1", port: await freePort() };
    const fill = (text: string) => filled(text, order, address);
    const guard = spawn("/bin/sh", ["-c", GUARD, "muster-guard", folder, command, ...args.map(fill)], {
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      detached: true,
      env: {
        ...process.env,
        MUSTER_JOIN_TOKEN: "",
        ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)])),
      },
    });
    return new ServerProcess(guard, address, folder);
  }

  /** The end of what it printed. */
  get output(): string {
    return this.#output.trim();
  }

  /** Ends it with all that it started. */
  kill(): void {
    this.#guard.stdin?.destroy();
    if (this.#guard.pid === undefined) return;
    try {
      process.kill(-this.#guard.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }
}

function filled(text: string, { modelPath, name }: ServerOrder, address: ServerAddress): string {
  const values: Readonly<Record<string, string>> = {
    model: modelPath,
    name,
    ...("port" in address ? { port: String(address.port) } : { socket: address.socketPath }),
  };
  return text.replace(/\{(model|name|port|socket)\}/g, (whole, key: string) => values[key] ?? whole);
}

function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal) return `was ended by ${signal}`;
  const name = Object.entries(constants.signals).find(([, number]) => number === (code ?? 0) - SIGNAL_STATUS);
  return name ? `was ended by ${name[0]}` : `ended with exit code ${code}`;
}

/** A port that was free a moment ago: whoever takes it first has it. */
async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new MusterError("runtime.start-failed", "There is no free port.", { cause })),
    );
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
