import type { Challenge, Evidence } from "@muster/shared/protocol/evidence";
import type { OutboxRecord } from "@muster/shared/protocol/messages";
import { downFilter, upTopic } from "@muster/shared/protocol/topics";
import type { MqttClient } from "mqtt";
import { type Credentials, connectMqtt } from "../fleet/client.ts";
import { batch, birth } from "../fleet/messages.ts";
import type { Prover } from "./prover.ts";

/** One session of a device that answers challenges over a real connection, unless it is told to keep them. */
export class AttestingSession {
  readonly client: MqttClient;
  readonly challenges: Challenge[] = [];
  readonly #prover: Prover;
  readonly #session: string;
  #waiting: ((challenge: Challenge) => void)[] = [];

  private constructor(client: MqttClient, prover: Prover, session: string) {
    this.client = client;
    this.#prover = prover;
    this.#session = session;
  }

  static async open(
    fleet: Parameters<typeof connectMqtt>[0],
    device: Credentials,
    prover: Prover,
    { session = "session-0001", answers = true } = {},
  ): Promise<AttestingSession> {
    const client = await connectMqtt(fleet, device);
    const opened = new AttestingSession(client, prover, session);
    client.on("message", (topic, payload) => {
      if (!topic.endsWith("/down/challenge")) return;
      const challenge = JSON.parse(payload.toString()) as Challenge;
      opened.challenges.push(challenge);
      for (const tell of opened.#waiting.splice(0)) tell(challenge);
      if (answers) void prover.link(challenge).then((evidence) => opened.send(evidence));
    });
    await client.subscribeAsync(downFilter(device.id), { qos: 1 });
    await client.publishAsync(upTopic(device.id, "birth"), JSON.stringify(birth(session)), { qos: 1 });
    return opened;
  }

  /** The next challenge that comes. */
  challenge(): Promise<Challenge> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async send(evidence: Evidence): Promise<void> {
    const topic = upTopic(this.#prover.device, "evidence");
    await this.client.publishAsync(topic, JSON.stringify({ v: 1, evidence }), { qos: 1 });
  }

  /** Sends links as records of the outbox. */
  async backlog(links: readonly Evidence[], fromSeq = 1): Promise<void> {
    const records: OutboxRecord[] = links.map((body, index) => ({
      seq: fromSeq + index,
      kind: "evidence",
      at: body.payload.at,
      body,
    }));
    const topic = upTopic(this.#prover.device, "batch");
    await this.client.publishAsync(topic, JSON.stringify(batch(this.#session, records)), { qos: 1 });
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }
}
