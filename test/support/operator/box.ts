import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import type { EnrollResponse } from "@muster/shared/protocol/device-api";
import type { Batch, Heartbeat, StateMessage } from "@muster/shared/protocol/messages";
import type { ReleaseRef } from "@muster/shared/protocol/primitives";
import type { RunningComponent, UpdateOutcome, UpdatePhase } from "@muster/shared/protocol/state";
import { downFilter, upTopic } from "@muster/shared/protocol/topics";
import type { Directive } from "@muster/shared/trust/directive";
import mqtt, { type MqttClient } from "mqtt";
import { enrollRequest, newDevice, type TestDevice } from "../fleet/keys.ts";
import { birth, heartbeat, reported } from "../fleet/messages.ts";
import type { TestControlPlane } from "./control-plane.ts";

/** How a box takes a directive: the components that it then runs, or the failure with which it rolls back. */
export type Taking =
  | { components: RunningComponent[] }
  | { failure: { code: string; message: string } }
  | { never: true };

type Take = (directive: Directive["payload"]) => Taking;

/** A device that speaks the real protocol over real sockets, with the work of the agent played. */
export class Box {
  readonly id: string;
  readonly name: string;
  readonly #client: MqttClient;
  readonly #take: Take;
  readonly #session: string;
  #state = reported();
  #seq = 0;
  #beats = 0;

  private constructor(device: TestDevice, name: string, client: MqttClient, take: Take) {
    this.id = device.id;
    this.name = name;
    this.#client = client;
    this.#take = take;
    this.#session = sessionOf(device);
  }

  /** Enrolls with a fresh key and connects. */
  static async join(
    plane: TestControlPlane,
    name: string,
    token: { id: string; secret: string },
    take: Take,
  ): Promise<Box> {
    const ca = await readFile(join(plane.ready.dataDir, "ca", "ca.crt"), "utf8");
    const device = await newDevice();
    const answer = await enroll(plane.ready.deviceUrl, ca, enrollRequest(device, token, { name }));
    const will = JSON.stringify({ v: 1, session: sessionOf(device) });
    const client = mqtt.connect(plane.ready.mqttUrl, {
      clientId: device.id,
      key: device.key,
      cert: answer.certificate,
      ca,
      protocolVersion: 4,
      reconnectPeriod: 0,
      will: { topic: upTopic(device.id, "will"), payload: Buffer.from(will), qos: 1, retain: false },
    });
    await connected(client);
    const box = new Box(device, name, client, take);
    client.on("message", (topic, payload) => {
      if (topic.endsWith("/down/desired")) void box.receive(JSON.parse(payload.toString()) as Directive);
    });
    await client.publishAsync(upTopic(box.id, "birth"), JSON.stringify(birth(box.#session)), { qos: 1 });
    await client.subscribeAsync(downFilter(box.id), { qos: 1 });
    return box;
  }

  /** Sends a heartbeat: of 30 s with one inference, unless `more` says otherwise. */
  async beat(more: Partial<Heartbeat> = {}): Promise<void> {
    this.#beats += 1;
    const beat = heartbeat(this.#session, this.#beats, more);
    await this.#client.publishAsync(upTopic(this.id, "heartbeat"), JSON.stringify(beat), { qos: 1 });
  }

  /** Sends outbox records, which the device has numbered. */
  async batch(records: Batch["records"]): Promise<void> {
    const message: Batch = { v: 1, session: this.#session, outbox: `outbox-${this.id}`, records };
    await this.#client.publishAsync(upTopic(this.id, "batch"), JSON.stringify(message), { qos: 1 });
  }

  /** Says that it runs a release, whoever told it to. */
  async runs(release: ReleaseRef): Promise<void> {
    await this.#report({ running: release, runner: "ready" });
  }

  /** The uplink breaks: the broker sends the will. */
  cut(): void {
    this.#client.stream.destroy();
  }

  async leave(): Promise<void> {
    await this.#client.endAsync();
  }

  private async receive({ payload }: Directive): Promise<void> {
    const { generation, release } = payload;
    if (generation <= this.#state.generation) return;
    this.#state = { ...this.#state, generation };
    const how = this.#take(payload);
    await this.#tell("accepted", payload);
    if ("never" in how) return await this.#tell("fetching", payload);
    await this.#tell("probation", payload);
    if ("components" in how) {
      this.#state = { ...this.#state, running: release, components: how.components, runner: "ready" };
      return await this.#end("succeeded", payload);
    }
    await this.#end("failed-rolled-back", payload, how.failure);
  }

  async #tell(phase: UpdatePhase, { generation, release }: Directive["payload"]): Promise<void> {
    await this.#report({ update: { generation, release, phase, since: Date.now() } });
  }

  async #end(
    outcome: UpdateOutcome,
    { generation, release }: Directive["payload"],
    failure?: { code: string; message: string },
  ): Promise<void> {
    const lastResult = { generation, release, outcome, at: Date.now(), ...(failure ? { failure } : {}) };
    await this.#report({ update: null, lastResult });
  }

  async #report(change: Partial<StateMessage["state"]>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    this.#seq += 1;
    const message: StateMessage = {
      v: 1,
      session: this.#session,
      seq: this.#seq,
      at: Date.now(),
      state: this.#state,
    };
    await this.#client.publishAsync(upTopic(this.id, "state"), JSON.stringify(message), { qos: 1 });
  }
}

const sessionOf = ({ id }: TestDevice): string => `session-${id.slice(1, 9)}`;

const connected = (client: MqttClient): Promise<unknown> =>
  new Promise((resolve, reject) => {
    client.once("connect", resolve);
    client.on("error", reject);
  });

function enroll(deviceUrl: string, ca: string, body: unknown): Promise<EnrollResponse> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${deviceUrl}/device/v1/enroll`,
      { method: "POST", ca, agent: false, headers: { "content-type": "application/json" } },
      (response) => {
        let text = "";
        response.on("data", (part: Buffer) => {
          text += part.toString();
        });
        response.on("end", () => {
          if (response.statusCode === 200 || response.statusCode === 201)
            resolve(JSON.parse(text) as EnrollResponse);
          else reject(new Error(`The enrollment was answered ${response.statusCode}: ${text}`));
        });
      },
    );
    call.on("error", reject);
    call.end(JSON.stringify(body));
  });
}
