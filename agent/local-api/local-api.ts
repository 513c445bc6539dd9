import { chmod, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { MusterError } from "@muster/shared/errors";
import { isAnswered } from "./ask.ts";

/** Longest path of a Unix socket that every platform takes, bytes (sun_path of unix(7) less the final zero). */
const MAX_SOCKET_PATH = 103;

/**
 * What the box itself may ask the agent: `GET /status` over a Unix socket that only its user can open. The
 * socket also keeps a second agent off the same data directory.
 */
export class LocalApi {
  readonly #server: Server;
  readonly #socket: string;

  private constructor(server: Server, socket: string) {
    this.#server = server;
    this.#socket = socket;
  }

  /** @throws MusterError `agent.running` when an agent answers there already, `settings.invalid` */
  static async listen(socket: string, status: () => unknown): Promise<LocalApi> {
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH)
      throw new MusterError(
        "settings.invalid",
        `The path ${socket} is too long for a socket: choose a shorter --data.`,
      );
    if (await isAnswered(socket))
      throw new MusterError("agent.running", `An agent answers at ${socket} already.`);
    await rm(socket, { force: true });
    const server = createServer((request, response) => {
      const [code, body] = request.method === "GET" && request.url === "/status" ? answer(status) : [404, {}];
      response.writeHead(code, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) =>
        reject(
          new MusterError("settings.invalid", `The socket ${socket} cannot be opened: ${cause.message}`, {
            cause,
          }),
        ),
      );
      server.listen(socket, resolve);
    });
    await chmod(socket, 0o600);
    return new LocalApi(server, socket);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await rm(this.#socket, { force: true });
  }
}

/** While the agent ends, its parts cannot tell how they are. */
function answer(status: () => unknown): [number, unknown] {
  try {
    return [200, status()];
  } catch {
    return [503, {}];
  }
}
