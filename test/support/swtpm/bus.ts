import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import type { Swtpm } from "./swtpm.ts";

/** A command and its answer, as they crossed the bus. */
interface Crossing {
  command: Buffer;
  answer: Buffer;
}

/** Somebody with a probe on the bus between an agent and its TPM: hears all of it, and may change the answers. */
export class Bus {
  readonly heard: Crossing[] = [];
  /** What becomes of an answer. */
  change: (answer: Buffer, command: Buffer) => Buffer = (answer) => answer;
  readonly #path: string;
  readonly #server = createServer((agent) => this.#serve(agent));
  readonly #tpm: Swtpm;
  readonly #sockets = new Set<Socket>();

  private constructor(tpm: Swtpm) {
    this.#tpm = tpm;
    this.#path = `${tpm.socket}.probe`;
  }

  static async between(tpm: Swtpm): Promise<Bus> {
    const bus = new Bus(tpm);
    bus.#server.listen(bus.#path);
    await once(bus.#server, "listening");
    return bus;
  }

  /** As the agent's setting `--tpm` takes it. */
  get setting(): string {
    return `swtpm:unix:${this.#path}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await rm(this.#path, { force: true });
  }

  #serve(agent: Socket): void {
    const tpm = connect(this.#tpm.socket);
    for (const socket of [agent, tpm]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        agent.destroy();
        tpm.destroy();
      });
    }
    let command: Buffer = Buffer.alloc(0);
    agent.on("data", (bytes: Buffer) => {
      command = bytes;
      tpm.write(bytes);
    });
    tpm.on("data", (bytes: Buffer) => {
      const answer = this.change(bytes, command);
      this.heard.push({ command, answer });
      agent.write(answer);
    });
  }
}
