import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Process } from "./process.ts";

/** The program as it is shipped: the bundled core. */
const AGENT = join(
  dirname(fileURLToPath(import.meta.resolve("@muster/agent/package.json"))),
  "bin",
  "muster-agent.js",
);

export interface DeviceOptions {
  name: string;
  site: string;
  /** Where data and logs of the whole plant lie. */
  directory: string;
  /** Settings of the agent by name, as in the environment: `MUSTER_HEARTBEAT_SECONDS`. */
  env: Record<string, string>;
}

/** A real `muster-agent run` process. */
export class Device {
  readonly name: string;
  readonly site: string;
  readonly #options: DeviceOptions;
  #process: Process | undefined;

  constructor(options: DeviceOptions) {
    this.name = options.name;
    this.site = options.site;
    this.#options = options;
  }

  get dataDirectory(): string {
    return join(this.#options.directory, "devices", this.name);
  }

  /** Unix socket of the inference endpoint. */
  get inferenceSocket(): string {
    return join(this.dataDirectory, "run", "inference.sock");
  }

  /** Unix socket of the local API. */
  get localSocket(): string {
    return join(this.dataDirectory, "run", "agent.sock");
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  start(server: string, token: string): void {
    this.#process = new Process(
      `device ${this.name}`,
      AGENT,
      ["run", "--data", this.dataDirectory, "--server", server, "--token", token, "--name", this.name],
      {
        log: join(this.#options.directory, "logs", `${this.name}.log`),
        env: this.#options.env,
      },
    );
  }

  /** Ends in an orderly way, or as by a power cut. */
  async stop(how: "orderly" | "power-cut" = "orderly"): Promise<void> {
    await this.#process?.stop(how === "orderly" ? "SIGTERM" : "SIGKILL");
  }
}
