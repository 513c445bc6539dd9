import { setTimeout as sleep } from "node:timers/promises";
import { asMusterError, MusterError } from "@muster/shared/errors";
import type { MqttClient } from "mqtt";
import { openLine } from "../broker-line.ts";
import { FEEDER_DEFAULTS, type MqttSource } from "../config.ts";
import { contentTypeOf } from "../content-type.ts";
import type { HttpFeedPorts } from "./http-feed.ts";
import { LiveFeed } from "./live-feed.ts";

const MIB = 1024 * 1024;
const OPEN_AGAIN_MS = 5000;

export interface MqttFeedPorts extends HttpFeedPorts {
  /** Of its own at the broker. */
  readonly clientId: string;
}

/**
 * What comes on topics of a local broker. With QoS 1 or 2 the broker keeps what comes while the feeder is away; what has
 * arrived is subject to the drop rule of the queue.
 */
export class MqttFeed extends LiveFeed {
  readonly #source: MqttSource;
  readonly #ports: MqttFeedPorts;
  readonly #stop = new AbortController();
  #client: MqttClient | undefined;
  #opening: Promise<void> | undefined;

  constructor(source: MqttSource, ports: MqttFeedPorts) {
    super(source, ports.prefix, ports.status, ports.dropped);
    this.#source = source;
    this.#ports = ports;
  }

  start(): void {
    this.#opening = this.#open();
  }

  protected async end(): Promise<void> {
    this.#stop.abort();
    await this.#opening;
    await this.#client?.endAsync(true);
  }

  async #open(): Promise<void> {
    const { topic, qos = 0 } = this.#source;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const client = await openLine(this.#source, {
          clientId: this.#ports.clientId,
          clean: qos === 0,
          resubscribe: false,
        });
        this.#client = client;
        client.on("error", (error) => this.#trouble(error.message));
        client.on("close", () => this.#trouble("The broker is not there."));
        client.on("connect", () =>
          client.subscribe(topic, { qos: qos as 0 | 1 | 2 }, (error, granted) => {
            if (error || granted?.some((each) => each.qos > 2)) this.#trouble(`${topic} is not granted.`);
          }),
        );
        client.on("message", (at, payload) => this.#take(at, payload));
        return;
      } catch (error) {
        this.#trouble(asMusterError(error).message);
        await sleep(OPEN_AGAIN_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  #trouble(message: string): void {
    if (!this.#stop.signal.aborted) this.#ports.trouble(new MusterError("source.unreachable", message));
  }

  #take(topic: string, body: Buffer): void {
    const limit = (this.#source.maxMib ?? FEEDER_DEFAULTS.maxMib) * MIB;
    if (body.byteLength > limit) {
      this.status.received += 1;
      this.status.rejected += 1;
      this.#ports.dropped(
        `Source ${this.#source.name}: a message on ${topic} is larger than ${limit} bytes.`,
      );
      return;
    }
    const contentType = this.#source.contentType ?? (body[0] === 0x7b ? "application/json" : undefined);
    this.push({
      origin: topic,
      body,
      contentType: contentType ?? contentTypeOf(body, topic),
      receivedAt: this.#ports.monotonic(),
    });
  }
}
