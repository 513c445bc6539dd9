import type { Socket } from "node:net";
import type { Gone } from "./infer.ts";

/**
 * Tells when the connection of a request is closed. It asks the socket instead of holding a signal of its own: most
 * requests are answered before anybody looks.
 */
export class ConnectionGone implements Gone {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get aborted(): boolean {
    return this.#socket.destroyed;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#socket.once("close", listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#socket.removeListener("close", listener);
  }
}
