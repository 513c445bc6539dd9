import { lstat, mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";
import { MusterError } from "@muster/shared/errors";
import type { FromRunner, ListenAddress } from "../runner/control.ts";
import type { InferenceSettings } from "./settings.ts";
import { MAX_SOCKET_PATH, SocketPaths } from "./socket-paths.ts";

type Listening = Extract<FromRunner, { kind: "listening" }>;

/** Key of the shared endpoint among the holders; no socket has this path. */
const ENDPOINT = "";

const NOTHING_SHARED = { port: null, socketPath: null, grpcPort: null, groupPath: null };

/**
 * The addresses that runners listen on, one after the other. While any runner holds a shared handle the next one
 * must ask for it with the very same words; a free port (0) becomes a fixed one when the last holder is gone.
 */
export class Endpoint {
  readonly #settings: InferenceSettings;
  /** Who listens on each socket path, or on the endpoint. */
  readonly #holders = new Map<string, Set<object>>();
  readonly #paths: SocketPaths;
  /** Runners whose end is awaited: an address that is taken is asked for again and again. */
  readonly #awaited = new WeakSet<object>();
  #last: Promise<unknown> = Promise.resolve();
  #port: number | null;
  #granted: number | null = null;
  #grpcPort: number | null;
  #grantedGrpc: number | null = null;

  /** @throws MusterError `settings.invalid` */
  constructor(settings: InferenceSettings) {
    const { port, socketPath, grpcPort } = settings;
    for (const each of [port, grpcPort])
      if (each !== null && !(Number.isInteger(each) && each >= 0 && each <= 65_535))
        throw new MusterError("settings.invalid", `${each} is no TCP port.`);
    if (socketPath !== null && Buffer.byteLength(socketPath) > MAX_SOCKET_PATH)
      throw new MusterError(
        "settings.invalid",
        `The socket path ${socketPath} is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter directory.`,
      );
    if (port === null && socketPath === null)
      throw new MusterError("settings.invalid", "Inference needs a TCP port or a socket path.");
    this.#settings = settings;
    this.#port = port;
    this.#grpcPort = grpcPort;
    this.#paths = new SocketPaths(settings.groupSocketBase ?? socketPath);
    this.#paths.tidy();
  }

  /**
   * Lets one runner after the other listen.
   * @param id of its group
   * @param doors `sibling` opens the door for siblings alone, `all` the shared ones too
   * @throws MusterError what `listen` throws
   */
  open(
    runner: { readonly pid: number; readonly exited: Promise<unknown> },
    id: string,
    doors: "sibling" | "all",
    listen: (address: ListenAddress) => Promise<Listening>,
  ): Promise<Listening> {
    const opened = this.#last.then(async () => {
      const ownPath = this.#paths.runner(runner.pid);
      this.#awaitEnd(runner, ownPath);
      const shared = doors === "all" ? await this.#shared(id) : NOTHING_SHARED;
      const listening = await listen({ ...shared, host: this.#settings.host, ownPath });
      this.#hold(runner, listening);
      return listening;
    });
    this.#last = opened.catch(() => {});
    return opened;
  }

  /** Removes what was made for sockets; to be called when every runner has ended. */
  close(): void {
    this.#paths.close();
  }

  async #shared(id: string): Promise<Omit<ListenAddress, "host" | "ownPath">> {
    const { socketPath } = this.#settings;
    const groupPath = this.#paths.group(id);
    if (!this.#holders.has(ENDPOINT)) {
      if (this.#granted !== null) this.#port = this.#granted;
      if (this.#grantedGrpc !== null) this.#grpcPort = this.#grantedGrpc;
      if (socketPath !== null) await clearSocket(socketPath);
    }
    if (groupPath !== null && !this.#holders.has(groupPath)) await clearSocket(groupPath);
    return { port: this.#port, socketPath, grpcPort: this.#grpcPort, groupPath };
  }

  #hold(runner: object, { port, socketPath, grpcPort, groupPath }: Listening): void {
    if (port !== null) this.#granted = port;
    if (grpcPort !== null) this.#grantedGrpc = grpcPort;
    const doors = [
      ...(port !== null || socketPath !== null ? [ENDPOINT] : []),
      ...(groupPath ? [groupPath] : []),
    ];
    for (const door of doors) this.#holders.set(door, (this.#holders.get(door) ?? new Set()).add(runner));
  }

  #awaitEnd(runner: { readonly exited: Promise<unknown> }, ownPath: string): void {
    if (this.#awaited.has(runner)) return;
    this.#awaited.add(runner);
    void runner.exited.then(() => {
      this.#paths.forget(ownPath);
      this.leave(runner);
    });
  }

  /** A runner lets go of every shared handle: it has ended, or it takes no new connections from now on. */
  leave(runner: object): void {
    for (const [door, holders] of this.#holders)
      if (holders.delete(runner) && holders.size === 0) this.#holders.delete(door);
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
