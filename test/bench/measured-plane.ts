import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Addresses } from "../plant/control-plane.ts";
import type { PlaneProcess } from "../simulator/fleet/plane.ts";
import type { Measured, Ready } from "./measured-serve.ts";

const SERVE = fileURLToPath(new URL("./measured-serve.js", import.meta.url));

/** A control plane in a process of its own that tells how it fares. */
export class MeasuredPlane implements PlaneProcess {
  readonly #directory: string;
  readonly #settings: Readonly<Record<string, number>>;
  #child: ChildProcess | undefined;
  #addresses: Addresses | undefined;
  operatorToken = "";

  constructor(directory: string, settings: Readonly<Record<string, number>> = {}) {
    this.#directory = directory;
    this.#settings = settings;
  }

  get addresses(): Addresses {
    if (!this.#addresses) throw new Error("the control plane has not been started");
    return this.#addresses;
  }

  get dataDirectory(): string {
    return join(this.#directory, "control-plane");
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const port = (url: string | undefined) => (url ? Number(new URL(url).port) : 0);
    const settings = {
      ...this.#settings,
      deviceHost: "127.0.0.1",
      enrollmentsPerMinute: 1_000_000,
      devicePort: port(this.#addresses?.deviceUrl),
      mqttPort: port(this.#addresses?.mqttUrl),
      operatorPort: port(this.#addresses?.operatorUrl),
    };
    mkdirSync(this.#directory, { recursive: true });
    const log = createWriteStream(join(this.#directory, "control-plane.log"), { flags: "a" });
    const child = fork(SERVE, [this.dataDirectory, JSON.stringify(settings)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    child.stdout?.pipe(log);
    child.stderr?.pipe(log);
    this.#child = child;
    const failed = once(child, "exit").then(() => {
      throw new Error(`the control plane ended before it was ready: see ${this.#directory}`);
    });
    const [ready] = (await Promise.race([once(child, "message"), failed])) as [Ready];
    failed.catch(() => undefined);
    const { operatorToken, ...addresses } = ready;
    this.#addresses = addresses;
    this.operatorToken ||= operatorToken ?? "";
  }

  /** How it fared since the last call. */
  async measure(): Promise<Measured> {
    const child = this.#child;
    if (!child) throw new Error("the control plane has not been started");
    const answer = once(child, "message");
    child.send("measure");
    const [measured] = (await answer) as [Measured];
    return measured;
  }

  async stop(how: "orderly" | "power-cut"): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(how === "orderly" ? "SIGTERM" : "SIGKILL");
    const impatient = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(impatient);
  }
}
