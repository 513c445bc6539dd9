import { connect, type Socket } from "node:net";
import { asMusterError, MusterError } from "@muster/shared/errors";
import { inWords, type TpmAddress } from "../address.ts";
import { isWhole } from "./frame.ts";
import type { Transport } from "./transport.ts";

interface Waiting {
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: MusterError) => void;
}

/**
 * The command channel of a software TPM (swtpm socket): commands and answers as they are, one after the other. A
 * connection that broke, fell silent or brought garbage is given up, and the next command makes a new one.
 */
export class SocketTransport implements Transport {
  readonly where: string;
  readonly isManaged = false;
  connection = 0;
  readonly #address: Exclude<TpmAddress, { kind: "device" }>;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #received: Buffer[] = [];

  constructor(address: Exclude<TpmAddress, { kind: "device" }>) {
    this.#address = address;
    this.where = inWords(address);
  }

  async connect(timeoutMs: number): Promise<void> {
    if (this.#socket) return;
    const target = this.#address.kind === "unix" ? { path: this.#address.path } : this.#address;
    const socket = connect({ ...target, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => fail(new MusterError("tpm.timeout", `${this.where} takes no connection.`)),
        timeoutMs,
      );
      const fail = (error: Error): void => {
        clearTimeout(late);
        socket.destroy();
        reject(asMusterError(error, "tpm.unavailable"));
      };
      socket.once("error", fail);
      socket.once("connect", () => {
        clearTimeout(late);
        socket.off("error", fail);
        resolve();
      });
    });
    this.#socket = socket;
    this.connection++;
    socket.on("data", (part) => this.#take(part));
    socket.on("error", (error) => this.#giveUp(socket, asMusterError(error, "tpm.unavailable")));
    socket.on("close", () =>
      this.#giveUp(socket, new MusterError("tpm.unavailable", `${this.where} ended the connection.`)),
    );
  }

  async exchange(command: Buffer, timeoutMs: number): Promise<Buffer> {
    await this.connect(timeoutMs);
    const socket = this.#socket;
    if (!socket) throw new MusterError("tpm.unavailable", `${this.where} ended the connection.`);
    let late: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        this.#waiting = { resolve, reject };
        late = setTimeout(() => {
          const seconds = timeoutMs / 1000;
          this.#giveUp(socket, new MusterError("tpm.timeout", `${this.where} was silent for ${seconds} s.`));
        }, timeoutMs);
        socket.write(command);
      });
    } finally {
      clearTimeout(late);
    }
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket) this.#giveUp(socket, new MusterError("tpm.unavailable", "The TPM was closed."));
  }

  #take(part: Buffer): void {
    const socket = this.#socket;
    if (!socket) return;
    try {
      if (!this.#waiting) throw new MusterError("tpm.malformed", `${this.where} spoke without being asked.`);
      this.#received.push(part);
      const answer = this.#received.length === 1 ? part : Buffer.concat(this.#received);
      this.#received = [answer];
      if (!isWhole(answer)) return;
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      this.#received = [];
      resolve(answer);
    } catch (error) {
      this.#giveUp(socket, asMusterError(error, "tpm.malformed"));
    }
  }

  #giveUp(socket: Socket, why: MusterError): void {
    socket.destroy();
    if (this.#socket !== socket) return;
    const waiting = this.#waiting;
    this.#socket = undefined;
    this.#waiting = undefined;
    this.#received = [];
    waiting?.reject(why);
  }
}
