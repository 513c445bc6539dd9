import type { AddressInfo, Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import { type DownChannel, downTopic, parseUpTopic, type UpChannel } from "@muster/shared/protocol/topics";
import { Aedes } from "aedes";
import type { Fleet } from "./fleet.ts";

// biome-ignore lint/suspicious/noExplicitAny: the tests read messages as what they ought to be.
type Message = any;

/** A real broker over mutual TLS that remembers what it got and says only what a test tells it to. */
export class TestBroker {
  readonly #fleet: Fleet;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  readonly received: { channel: UpChannel; message: Message; retain: boolean }[] = [];
  port: number;
  onUp: (channel: UpChannel, message: Message) => void = () => undefined;

  private constructor(fleet: Fleet, aedes: Aedes, port: number) {
    this.#fleet = fleet;
    this.#aedes = aedes;
    this.port = port;
    this.#server = createServer(
      { ...fleet.server.secureContext(), requestCert: true, rejectUnauthorized: true },
      (socket) => {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.once("close", () => this.#sockets.delete(socket));
        aedes.handle(socket);
      },
    );
    aedes.on("publish", ({ topic, payload, retain }, client) => {
      const up = parseUpTopic(topic);
      if (!up || (client === null && up.channel !== "will")) return;
      const message: Message = JSON.parse(payload.toString());
      this.received.push({ channel: up.channel, message, retain });
      this.onUp(up.channel, message);
      for (const look of this.#waiting) look();
    });
  }

  static async start(fleet: Fleet, port = 0): Promise<TestBroker> {
    const broker = new TestBroker(fleet, await Aedes.createBroker(), port);
    await new Promise<void>((resolve) => broker.#server.listen(port, "127.0.0.1", resolve));
    broker.port = (broker.#server.address() as AddressInfo).port;
    return broker;
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  of(channel: UpChannel): Message[] {
    return this.received.filter((up) => up.channel === channel).map(({ message }) => message);
  }

  /** Seqs of all records that came, repeats included. */
  seqs(): number[] {
    return this.of("batch").flatMap(({ records }) => records.map(({ seq }: { seq: number }) => seq));
  }

  /** Resolves when `condition` holds; it is looked at whenever a message came. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** @param device the one of the fleet unless said otherwise */
  down(
    channel: DownChannel,
    payload: string,
    retain = false,
    device = this.#fleet.keys.device,
  ): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#aedes.publish(
        {
          cmd: "publish",
          topic: downTopic(device, channel),
          payload: Buffer.from(payload),
          qos: 1,
          dup: false,
          retain,
        },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  }

  /** Acknowledges each batch as it comes. */
  acknowledgeAll(): void {
    this.onUp = (channel, message) => {
      if (channel === "batch") void this.acknowledge(message.outbox, message.records.at(-1).seq);
    };
  }

  acknowledge(outbox: string, upTo: number): Promise<void> {
    return this.down("ack", JSON.stringify({ v: 1, outbox, upTo }));
  }

  /** Cuts the connections without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets the connections stand and takes nothing from them any more: what a dead path looks like. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.removeAllListeners("data");
      socket.removeAllListeners("readable");
      socket.pause();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
