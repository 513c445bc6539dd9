import { connect as connectTls, type TLSSocket } from "node:tls";
import { MusterError } from "@muster/shared/errors";
import { downFilter, upTopic } from "@muster/shared/protocol/topics";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import mqttClient from "mqtt/lib/client";
import type { TlsMaterial } from "./device-http.ts";
import { asLinkError } from "./tls-errors.ts";

export interface SessionOptions {
  /** `mqtts://host:port`. */
  url: string;
  device: string;
  tls: TlsMaterial;
  /** Payload of the last will. */
  will: string;
  keepaliveSeconds: number;
  /** Time from the first packet to the granted subscription, milliseconds. */
  connectTimeoutMs: number;
  monotonic: () => number;
}

export interface SessionEvents {
  /** Connected and subscribed. */
  online(): void;
  message(topic: string, payload: Buffer): void;
  /** The session is over, once. */
  lost(reason: MusterError): void;
}

/** Silent keepalives after which the connection is given up, whatever the library believes. */
const SILENT_KEEPALIVES = 3;
/** Looks at the silence within that time. */
const SILENCE_CHECKS = 6;

const silenceOf = (keepaliveSeconds: number): number => keepaliveSeconds * 1000 * SILENT_KEEPALIVES;

/** How long a connection may have been dead when its end is told, milliseconds. */
export const longestSilenceMs = (keepaliveSeconds: number): number =>
  silenceOf(keepaliveSeconds) * (1 + 1 / SILENCE_CHECKS);

/** Bytes without the end of a packet; MQTT.js would gather up to 256 MiB. Some packets may wait in a stream's buffer. */
const MAX_UNPARSED_BYTES = 2 * MAX_PAYLOAD_BYTES;

/** Opens the TLS stream for MQTT. @throws MusterError `settings.invalid` for anything but `mqtts:` */
function openStream(url: string, tls: TlsMaterial) {
  if (!URL.canParse(url) || !url.startsWith("mqtts:"))
    throw new MusterError("settings.invalid", `${url} is not an mqtts: URL.`);
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return connectTls({
    host,
    port: Number(port || 8883),
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    minVersion: "TLSv1.2",
    // Said here, since NODE_TLS_REJECT_UNAUTHORIZED could otherwise say the contrary.
    rejectUnauthorized: true,
    ...tls,
  });
}

/**
 * One MQTT 3.1.1 connection by MQTT.js, thrown away after its end: reconnecting, queueing and resubscribing of
 * the library stay off, and a watchdog of our own ends connections that the library takes for alive.
 */
export class MqttSession {
  readonly #client: InstanceType<typeof mqttClient.default>;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #connectTimer: NodeJS.Timeout;
  readonly #watchdog: NodeJS.Timeout;
  #heardAt: number;
  /** Bytes that came since the last whole packet. */
  #unparsed = 0;
  #over = false;

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#heardAt = options.monotonic();
    const silenceMs = silenceOf(options.keepaliveSeconds);
    this.#client = new mqttClient.default(() => this.#guarded(openStream(options.url, options.tls)), {
      clientId: options.device,
      protocolVersion: 4,
      clean: true,
      keepalive: options.keepaliveSeconds,
      // Ours comes first and covers the subscription too.
      connectTimeout: options.connectTimeoutMs * 2,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      will: {
        topic: upTopic(options.device, "will"),
        payload: Buffer.from(options.will),
        qos: 1,
        retain: false,
      },
    });
    this.#connectTimer = setTimeout(
      () =>
        this.#end(new MusterError("request.timeout", `${options.url} did not take the connection in time.`)),
      options.connectTimeoutMs,
    );
    this.#watchdog = setInterval(() => {
      if (options.monotonic() - this.#heardAt > silenceMs)
        this.#end(new MusterError("request.timeout", `${options.url} was silent for ${silenceMs / 1000} s.`));
    }, silenceMs / SILENCE_CHECKS);
    this.#listen();
  }

  /** Resolves when the packet is written (QoS 0) or the broker has it (QoS 1). @throws MusterError `request.unreachable` */
  publish(topic: string, payload: string, qos: 0 | 1): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#over) reject(new MusterError("request.unreachable", "The MQTT session is over."));
      else
        this.#client.publish(topic, payload, { qos, retain: false }, (error) =>
          error ? reject(asLinkError(error, this.#options.url)) : resolve(),
        );
    });
  }

  /** Ends the session in an orderly way: the broker does not send the will. */
  close(): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#release();
    return new Promise((resolve) => this.#client.end(false, () => resolve()));
  }

  /** Ends the session at once. */
  destroy(): void {
    this.#release();
    this.#client.end(true);
    // `end` returns early while an orderly end is under way, also when that hangs.
    this.#client.stream.destroy();
  }

  #listen(): void {
    const client = this.#client;
    const { url, device, monotonic } = this.#options;
    client.on("packetreceive", () => {
      this.#heardAt = monotonic();
      this.#unparsed = 0;
    });
    client.on("connect", () =>
      client.subscribe(downFilter(device), { qos: 1 }, (error, granted) => {
        if (this.#over) return;
        if (error || !granted?.every(({ qos }) => qos <= 1))
          this.#end(
            new MusterError("request.unreachable", `${url} refused the subscription.`, { cause: error }),
          );
        else {
          clearTimeout(this.#connectTimer);
          this.#events.online();
        }
      }),
    );
    client.on("message", (topic, payload) => {
      if (!this.#over) this.#events.message(topic, payload);
    });
    client.on("error", (error) => this.#end(asLinkError(error, url)));
    client.on("close", () =>
      this.#end(new MusterError("request.unreachable", `${url} closed the connection.`)),
    );
  }

  #guarded(stream: TLSSocket): TLSSocket {
    return stream.on("data", (chunk: Buffer) => {
      this.#unparsed += chunk.byteLength;
      if (this.#unparsed > MAX_UNPARSED_BYTES)
        this.#end(
          new MusterError(
            "wire.oversized",
            `${this.#options.url} sent a packet beyond ${MAX_PAYLOAD_BYTES} bytes.`,
          ),
        );
    });
  }

  #release(): void {
    this.#over = true;
    clearTimeout(this.#connectTimer);
    clearInterval(this.#watchdog);
  }

  #end(reason: MusterError): void {
    if (this.#over) return;
    this.destroy();
    this.#events.lost(reason);
  }
}
