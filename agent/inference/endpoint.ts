import { lstat, mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { MusterError } from "@muster/shared/errors";
import type { ListenAddress } from "../runner/control.ts";
import type { InferenceSettings } from "./settings.ts";

/** Longest path of a Unix socket, bytes: `sun_path` without its final zero. */
export const MAX_SOCKET_PATH = 107;

/**
 * The addresses that runners listen on, one after the other. While any runner holds the shared handle the next one
 * must ask for it with the very same words; a free port (0) becomes a fixed one when the last holder is gone.
 */
export class Endpoint {
  readonly #settings: InferenceSettings;
  readonly #holders = new Set<object>();
  #port: number | null;
  #granted: number | null = null;

  /** @throws MusterError `settings.invalid` */
  constructor(settings: InferenceSettings) {
    const { port, socketPath } = settings;
    if (port !== null && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
      throw new MusterError("settings.invalid", `${port} is no TCP port.`);
    if (socketPath !== null && Buffer.byteLength(socketPath) > MAX_SOCKET_PATH)
      throw new MusterError(
        "settings.invalid",
        `The socket path ${socketPath} is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter directory.`,
      );
    if (port === null && socketPath === null)
      throw new MusterError("settings.invalid", "Inference needs a TCP port or a socket path.");
    this.#settings = settings;
    this.#port = port;
  }

  /** What the next runner is to listen on. */
  async address(): Promise<ListenAddress> {
    const { host, socketPath } = this.#settings;
    if (this.#holders.size === 0) {
      if (this.#granted !== null) this.#port = this.#granted;
      if (socketPath !== null) await clearSocket(socketPath);
    }
    return { host, port: this.#port, socketPath };
  }

  /** A runner listens. @param port the TCP port that it got, if any */
  hold(holder: object, port: number | null): void {
    this.#holders.add(holder);
    if (port !== null) this.#granted = port;
  }

  release(holder: object): void {
    this.#holders.delete(holder);
  }

  url(port: number): string {
    const { host } = this.#settings;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }
}

/** Removes the socket file that a killed process left behind; one that somebody listens on stays. */
async function clearSocket(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isSocket()) return;
  const abandoned = await new Promise<boolean>((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (abandoned) await rm(path, { force: true });
}
