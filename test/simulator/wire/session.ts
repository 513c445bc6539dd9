import { connect, type TLSSocket } from "node:tls";
import {
  DOWN_CHANNELS,
  type DownChannel,
  downFilter,
  downTopic,
  type UpChannel,
  upTopic,
} from "@muster/shared/protocol/topics";
import { generate, type Packet, parser } from "mqtt-packet";

export interface Credentials {
  id: string;
  /** Private key and certificate, PEM. */
  key: string;
  certificate: string;
}

export interface Broker {
  host: string;
  port: number;
  /** CA certificate, PEM. */
  ca: string;
}

export interface SessionEvents {
  /** Connected and subscribed. */
  online(): void;
  message(channel: DownChannel, payload: Uint8Array): void;
  /** The broker has a publication of QoS 1; this proves nothing about storage. */
  taken?(): void;
  /** The session is over; told once, unless it was destroyed from this side. */
  lost(): void;
}

export interface SessionOptions {
  /** Payload of the last will. */
  will: string;
  keepaliveSeconds: number;
  /** From the first packet to the granted subscription, milliseconds. */
  connectTimeoutMs: number;
}

type Parser = ReturnType<typeof parser>;
const ACCEPTED = 0;

/**
 * One MQTT 3.1.1 session over mutual TLS with little memory of its own: thousands live in one process. It leaves
 * PINGREQ to the heartbeats, which come more often than the keepalive.
 */
export class WireSession {
  readonly #device: string;
  readonly #socket: TLSSocket;
  readonly #parser: Parser = parser({ protocolVersion: 4 });
  readonly #events: SessionEvents;
  readonly #patience: NodeJS.Timeout;
  #messageId = 0;
  #over = false;
  #frozen = false;

  constructor(broker: Broker, device: Credentials, options: SessionOptions, events: SessionEvents) {
    this.#device = device.id;
    this.#events = events;
    const { host, port, ca } = broker;
    this.#socket = connect({
      host,
      port,
      ca,
      key: device.key,
      cert: device.certificate,
      minVersion: "TLSv1.2",
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    });
    this.#socket.setNoDelay(true);
    this.#patience = setTimeout(() => this.#end(), options.connectTimeoutMs);
    this.#socket.on("secureConnect", () => this.#hello(options));
    this.#socket.on("data", (chunk: Buffer) => this.#parser.parse(chunk));
    this.#socket.on("error", () => this.#end());
    this.#socket.on("close", () => this.#end());
    this.#parser.on("packet", (packet: Packet) => this.#take(packet));
    this.#parser.on("error", () => this.#end());
  }

  publish(channel: UpChannel, payload: string, qos: 0 | 1): void {
    if (this.#over) return;
    const topic = upTopic(this.#device, channel);
    this.#send({ cmd: "publish", topic, payload, qos, dup: false, retain: false, messageId: this.#nextId() });
  }

  /** The path is dead but nobody said so: nothing is sent and nothing is read any more. */
  freeze(): void {
    this.#frozen = true;
    this.#over = true;
    clearTimeout(this.#patience);
    this.#socket.pause();
  }

  /** Ends at once; the broker sends the will. */
  destroy(): void {
    this.#over = true;
    clearTimeout(this.#patience);
    this.#socket.destroy();
  }

  /** Ends in an orderly way: the broker does not send the will. */
  goodbye(): void {
    if (!this.#over) this.#send({ cmd: "disconnect" });
    this.#over = true;
    clearTimeout(this.#patience);
    this.#socket.end();
  }

  #hello({ will, keepaliveSeconds }: SessionOptions): void {
    this.#send({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 4,
      clean: true,
      clientId: this.#device,
      keepalive: keepaliveSeconds,
      will: { topic: upTopic(this.#device, "will"), payload: Buffer.from(will), qos: 1, retain: false },
    });
  }

  #take(packet: Packet): void {
    if (this.#over) return;
    if (packet.cmd === "connack") {
      if (packet.returnCode === ACCEPTED) this.#subscribe();
      else this.#end();
    } else if (packet.cmd === "suback") {
      clearTimeout(this.#patience);
      this.#events.online();
    } else if (packet.cmd === "puback") this.#events.taken?.();
    else if (packet.cmd === "publish") {
      if (packet.qos === 1 && packet.messageId !== undefined)
        this.#send({ cmd: "puback", messageId: packet.messageId });
      const channel = DOWN_CHANNELS.find((name) => packet.topic === downTopic(this.#device, name));
      if (channel) this.#events.message(channel, Buffer.from(packet.payload));
    }
  }

  #subscribe(): void {
    const subscriptions = [{ topic: downFilter(this.#device), qos: 1 as const }];
    this.#send({ cmd: "subscribe", messageId: this.#nextId(), subscriptions });
  }

  #send(packet: Packet): void {
    if (!this.#frozen) this.#socket.write(generate(packet));
  }

  #nextId(): number {
    this.#messageId = (this.#messageId % 65_535) + 1;
    return this.#messageId;
  }

  #end(): void {
    if (this.#over) return;
    this.destroy();
    this.#events.lost();
  }
}
