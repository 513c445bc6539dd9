import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(import.meta.resolve("@muster/control-plane/main"));

/** What `muster serve --json` tells once it listens. */
interface Ready {
  dataDir: string;
  deviceUrl: string;
  mqttUrl: string;
  operatorUrl: string;
  operatorToken?: string;
}

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A real `muster serve` on free ports of loopback, and an operator with a home of its own at a terminal. */
export class TestControlPlane {
  readonly home: string;
  readonly ready: Ready;
  readonly token: string;
  readonly #child: ChildProcess;

  private constructor(home: string, ready: Ready, token: string, child: ChildProcess) {
    this.home = home;
    this.ready = ready;
    this.token = token;
    this.#child = child;
  }

  static async start(...args: string[]): Promise<TestControlPlane> {
    const home = await mkdtemp(join(tmpdir(), "muster-operator-"));
    const { ready, child } = await startServe(join(home, "data"), args);
    return new TestControlPlane(home, ready, ready.operatorToken ?? "", child);
  }

  /** Ends this one with a signal and starts another on the same data. */
  async restart(signal: "SIGTERM" | "SIGKILL", ...args: string[]): Promise<TestControlPlane> {
    await this.stop(signal);
    const { ready, child } = await startServe(this.ready.dataDir, args);
    return new TestControlPlane(this.home, ready, this.token, child);
  }

  get url(): string {
    return this.ready.operatorUrl;
  }

  /** Asks the API; the operator's token goes along unless headers say otherwise. */
  async call(
    method: string,
    path: string,
    json?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response> {
    return await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
  }

  /** Runs `muster` with this home; signed in by environment unless `env` says otherwise. */
  async muster(
    args: readonly string[],
    env: Record<string, string | undefined> = {},
  ): Promise<CommandResult> {
    const signedIn = { MUSTER_URL: this.url, MUSTER_TOKEN: this.token };
    return await runMuster(args, {
      HOME: this.home,
      XDG_CONFIG_HOME: join(this.home, "config"),
      ...signedIn,
      ...env,
    });
  }

  /** Runs `muster ... --json` and answers its document. */
  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.muster([...args, "--json"]);
    if (code !== 0) throw new Error(`muster ${args.join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.home, { recursive: true });
  }
}

async function startServe(
  dataDir: string,
  args: readonly string[],
): Promise<{ ready: Ready; child: ChildProcess }> {
  const ports = ["--device-port", "0", "--mqtt-port", "0", "--operator-port", "0"];
  const quick = ["--set", "rolloutTickMs=100", "--set", "ingestFlushMs=20", "--log-level", "error"];
  const child = spawn(
    process.execPath,
    [CLI, "serve", "--json", "--data", dataDir, "--device-host", "127.0.0.1", ...ports, ...quick, ...args],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const said: string[] = [];
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  for await (const line of createInterface({ input: child.stdout }))
    return { ready: JSON.parse(line) as Ready, child };
  throw new Error(`muster serve ended before it was ready: ${said.join("")}`);
}

/** Runs the real command line in a process of its own. */
export async function runMuster(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}
