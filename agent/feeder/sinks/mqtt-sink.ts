import { MusterError } from "@muster/shared/errors";
import type { MqttClient } from "mqtt";
import { openLine } from "../broker-line.ts";
import { FEEDER_DEFAULTS, type MqttSink } from "../config.ts";
import type { Result } from "../item.ts";
import type { Carrier } from "./delivery.ts";

/** Publishes each result as JSON on a topic of a local broker. */
export class MqttCarrier implements Carrier {
  readonly #sink: MqttSink;
  readonly #clientId: string;
  #client: MqttClient | undefined;

  constructor(sink: MqttSink, clientId: string) {
    this.#sink = sink;
    this.#clientId = clientId;
  }

  async deliver(result: Result, signal: AbortSignal): Promise<void> {
    const { name, qos = 0, retain = false, timeoutMs = FEEDER_DEFAULTS.sinkTimeoutMs } = this.#sink;
    const client = await this.#connected(AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    const sent = client.publishAsync(topicOf(this.#sink.topic, result), JSON.stringify(result), {
      qos: qos as 0 | 1 | 2,
      retain,
    });
    const late = new MusterError("sink.undelivered", `Sink ${name}: the broker did not take it in time.`);
    await within(sent, timeoutMs, late);
  }

  async close(): Promise<void> {
    await this.#client?.endAsync(true);
  }

  /** The line comes back by itself; results wait outside meanwhile, so that none waits in the client too. */
  async #connected(signal: AbortSignal): Promise<MqttClient> {
    if (!this.#client) {
      this.#client = await openLine(this.#sink, { clientId: this.#clientId, queueQoSZero: false });
      this.#client.on("error", () => {});
    }
    const client = this.#client;
    if (client.connected) return client;
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        client.removeListener("connect", connected);
        signal.removeEventListener("abort", aborted);
        end();
      };
      const connected = () => settle(() => resolve(client));
      const aborted = () =>
        settle(() =>
          reject(new MusterError("sink.undelivered", `Sink ${this.#sink.name}: the broker is not there.`)),
        );
      client.on("connect", connected);
      signal.addEventListener("abort", aborted);
      if (signal.aborted) aborted();
    });
  }
}

/** Fills the names in; what could change the topic's levels or its meaning is replaced. */
export const topicOf = (template: string, { source, model, id, response }: Result): string => {
  const values: Record<string, string> = { source, model, id, version: response?.model_version ?? "none" };
  return template.replace(/\{(source|model|version|id)\}/g, (_, name: string) =>
    values[name]!.replace(/[/#+\0]/g, "-"),
  );
};

async function within<T>(work: Promise<T>, ms: number, error: MusterError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(error), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
