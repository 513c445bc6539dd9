import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { ErrorCode, MusterError } from "@muster/shared/errors";
import type { Sink, Source } from "./config.ts";
import type {
  FeederCounts,
  FeederOrder,
  LastError,
  RunnerAddress,
  SinkStatus,
  SourceStatus,
} from "./control.ts";
import type { Result } from "./item.ts";
import { type Feed, Pump } from "./pump.ts";
import { RunnerClient } from "./runner-client.ts";
import { type Carrier, Delivery } from "./sinks/delivery.ts";
import { MqttCarrier } from "./sinks/mqtt-sink.ts";
import { Webhook } from "./sinks/webhook.ts";
import { FileFeed } from "./sources/file-feed.ts";
import { HttpFeed } from "./sources/http-feed.ts";
import { MqttFeed } from "./sources/mqtt-feed.ts";

interface Status {
  lastError: LastError | null;
}

/** All sources and sinks of a box. */
export class Station {
  readonly #order: FeederOrder;
  readonly #event: (code: ErrorCode, message: string) => void;
  readonly #sources: { status: SourceStatus; pump: Pump }[] = [];
  readonly #sinks = new Map<string, { status: SinkStatus; delivery: Delivery }>();

  private constructor(order: FeederOrder, event: (code: ErrorCode, message: string) => void) {
    this.#order = order;
    this.#event = event;
  }

  /** @param runner where the runner is now */
  static async open(
    order: FeederOrder,
    runner: () => RunnerAddress,
    event: (code: ErrorCode, message: string) => void,
  ): Promise<Station> {
    await mkdir(order.stateDir, { recursive: true, mode: 0o700 });
    const station = new Station(order, event);
    for (const sink of order.sinks) station.#addSink(sink);
    for (const source of order.sources) station.#addSource(source, runner);
    return station;
  }

  counts(): FeederCounts {
    return {
      sources: this.#sources.map(({ status, pump }) => ({ ...status, waiting: pump.waiting })),
      sinks: [...this.#sinks.values()].map(({ status, delivery }) => ({
        ...status,
        waiting: delivery.waiting,
      })),
    };
  }

  /** Sources first, so that sinks get what they still bring. */
  async close(): Promise<void> {
    await Promise.all(this.#sources.map(({ pump }) => pump.close()));
    await Promise.all([...this.#sinks.values()].map(({ delivery }) => delivery.close()));
  }

  #addSink(sink: Sink): void {
    const { name, kind } = sink;
    const status = { name, kind, delivered: 0, failed: 0, dropped: 0, waiting: 0, lastError: null };
    const carrier: Carrier =
      sink.kind === "webhook"
        ? new Webhook(sink, Date.now)
        : new MqttCarrier(sink, `muster-${this.#order.device}-sink-${name}`);
    const delivery = new Delivery(sink, carrier, {
      status,
      random: Math.random,
      trouble: this.#troubleOf(status, ""),
    });
    this.#sinks.set(name, { status, delivery });
    delivery.start();
  }

  #addSource(source: Source, runner: () => RunnerAddress): void {
    const { name, kind } = source;
    const status: SourceStatus = {
      name,
      kind,
      received: 0,
      answered: 0,
      rejected: 0,
      dropped: 0,
      expired: 0,
      deferred: 0,
      waiting: 0,
      lastError: null,
    };
    const sinks = source.sinks?.map((sink) => this.#sinks.get(sink)!) ?? [...this.#sinks.values()];
    const pump = new Pump(source, this.#feedOf(source, status), {
      client: new RunnerClient(runner),
      status,
      deliver: (result: Result) => {
        for (const { delivery } of sinks) delivery.push(result);
      },
      event: this.#event,
      now: Date.now,
      monotonic: () => performance.now(),
    });
    this.#sources.push({ status, pump });
    pump.start();
  }

  #feedOf(source: Source, status: SourceStatus): Feed {
    const { device, stateDir } = this.#order;
    const ports = {
      status,
      monotonic: () => performance.now(),
      trouble: this.#troubleOf(status, `Source ${source.name}: `),
    };
    const refused = (message: string) => this.#event("source.rejected", message);
    if (source.kind === "file") return new FileFeed(source, { ...ports, stateDir, refused });
    const live = {
      ...ports,
      prefix: randomBytes(6).toString("hex"),
      dropped: (message: string) => this.#event("source.dropped", message),
    };
    return source.kind === "http"
      ? new HttpFeed(source, live)
      : new MqttFeed(source, { ...live, clientId: `muster-${device}-source-${source.name}` });
  }

  #troubleOf(status: Status, prefix: string): (error: MusterError) => void {
    return (error) => {
      const message = `${prefix}${error.message}`;
      status.lastError = { code: error.code, message, at: Date.now() };
      this.#event(error.code, message);
    };
  }
}
