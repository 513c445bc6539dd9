import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Aedes } from "aedes";
import { makeFleet } from "../link/fleet.ts";

interface Login {
  readonly username: string;
  readonly password: string;
}

/** A real broker on the loopback, with TLS and a login where asked for. */
export class LocalBroker {
  readonly aedes: Aedes;
  readonly published: { topic: string; payload: Buffer; qos: number; retain: boolean }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;
  readonly ca: string | undefined;
  readonly #remove: () => void;

  private constructor(aedes: Aedes, server: Server, ca: string | undefined, remove: () => void) {
    this.aedes = aedes;
    this.#server = server;
    this.ca = ca;
    this.#remove = remove;
    aedes.on("publish", ({ topic, payload, qos, retain }, client) => {
      if (client) this.published.push({ topic, payload: Buffer.from(payload), qos, retain });
    });
  }

  static async start(options: { login?: Login; tls?: boolean; port?: number } = {}): Promise<LocalBroker> {
    const aedes = await Aedes.createBroker(
      options.login
        ? {
            authenticate: (_client, username, password, done) =>
              done(
                null,
                username === options.login!.username && password?.toString() === options.login!.password,
              ),
          }
        : {},
    );
    const fleet = options.tls ? await makeFleet() : undefined;
    const handle = (socket: Socket) => {
      broker.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.once("close", () => broker.#sockets.delete(socket));
      aedes.handle(socket);
    };
    const server = fleet ? createTlsServer(fleet.server.secureContext(), handle) : createServer(handle);
    const broker = new LocalBroker(aedes, server, fleet?.authority.certificate, () => fleet?.remove());
    await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
    broker.port = (server.address() as { port: number }).port;
    return broker;
  }

  get url(): string {
    return `${this.ca ? "mqtts" : "mqtt"}://127.0.0.1:${this.port}`;
  }

  /** Publishes as somebody on the box. */
  send(topic: string, payload: Uint8Array, qos: 0 | 1 = 0): Promise<void> {
    return new Promise((resolve, reject) =>
      this.aedes.publish(
        { cmd: "publish", topic, payload: Buffer.from(payload), qos, retain: false, dup: false },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.aedes.close(() => resolve()));
    await new Promise((resolve) => this.#server.close(resolve));
    this.#remove();
  }
}
