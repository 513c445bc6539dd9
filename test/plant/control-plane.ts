import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Process } from "./process.ts";

const MUSTER = fileURLToPath(import.meta.resolve("@muster/control-plane/main"));

export interface Addresses {
  deviceUrl: string;
  mqttUrl: string;
  operatorUrl: string;
}

/** A real `muster serve` process on loopback. It keeps its ports when it is started again. */
export class ControlPlane {
  readonly #directory: string;
  readonly #settings: Readonly<Record<string, string | number>>;
  #process: Process | undefined;
  #addresses: Addresses | undefined;
  /** Printed at the first start only. */
  operatorToken = "";

  constructor(directory: string, settings: Readonly<Record<string, string | number>> = {}) {
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
    return this.#process?.pid ?? 0;
  }

  async start(): Promise<void> {
    const port = (url: string | undefined) => (url ? new URL(url).port : "0");
    const args = ["serve", "--json", "--data", this.dataDirectory, "--device-host", "127.0.0.1"];
    args.push("--device-port", port(this.#addresses?.deviceUrl));
    args.push("--mqtt-port", port(this.#addresses?.mqttUrl));
    args.push("--operator-port", port(this.#addresses?.operatorUrl));
    for (const [name, value] of Object.entries(this.#settings)) args.push("--set", `${name}=${value}`);
    this.#process = new Process("the control plane", MUSTER, args, {
      log: join(this.#directory, "logs", "control-plane.log"),
    });
    const ready = await this.#process.document<Addresses & { operatorToken?: string }>();
    this.#addresses = ready;
    this.operatorToken ||= ready.operatorToken ?? "";
  }

  /** Ends in an orderly way, or as by a power cut. */
  async stop(how: "orderly" | "power-cut" = "orderly"): Promise<void> {
    await this.#process?.stop(how === "orderly" ? "SIGTERM" : "SIGKILL");
  }
}
