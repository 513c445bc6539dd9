import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ShadowReports } from "@muster/control-plane/shadow/reports";
import type { Ack } from "@muster/shared/protocol/messages";
import {
  type ShadowReport,
  type ShadowReportPayload,
  signShadowReport,
} from "@muster/shared/protocol/shadow-report";
import { downTopic, upTopic } from "@muster/shared/protocol/topics";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import type { MqttClient } from "mqtt";
import { type Credentials, connectMqtt } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { batch, birth, release } from "../../support/fleet/messages.ts";
import { until } from "../../support/fleet/until.ts";

const KEY = signingKeyFrom(Buffer.alloc(32, 3));
const ROLLOUT = "rollout-1";

describe("shadow reports", () => {
  let fleet: TestFleet;
  let device: Credentials;
  let client: MqttClient;
  let acked = 0;
  let seq = 0;

  const payload = (over: Partial<ShadowReportPayload> = {}): ShadowReportPayload => ({
    v: 1,
    device: device.id,
    generation: 2,
    rollout: ROLLOUT,
    live: release("1.0.0", 1),
    candidate: release("2.0.0", 2),
    rule: { seconds: 60, samplePercent: 10, cpuPercent: 25, minCompared: 100, minAgreementPercent: 95 },
    from: 1000,
    to: 61_000,
    verdict: "agreed",
    reason: "Both agreed.",
    models: [],
    ...over,
  });

  async function send(...reports: ShadowReport[]): Promise<void> {
    const records = reports.map((body) => {
      seq += 1;
      return { seq, kind: "shadow", at: 1000, body };
    });
    await client.publishAsync(
      upTopic(device.id, "batch"),
      JSON.stringify({ ...batch("session-1", []), records }),
      { qos: 1 },
    );
    await until(() => acked === seq);
  }

  const stored = () =>
    fleet.stores.controlRaw
      .prepare("SELECT generation FROM shadow_reports WHERE device = ? ORDER BY generation")
      .pluck()
      .all(device.id) as number[];

  const noted = async () =>
    (await fleet.fleet.timeline("press")).flatMap((entry) => (entry.kind === "event" ? [entry.message] : []));

  beforeEach(async () => {
    acked = 0;
    seq = 0;
    fleet = await startFleet();
    device = await fleet.enroll("press");
    fleet.stores.controlRaw
      .prepare("UPDATE devices SET signing_key = ?, generation = 20 WHERE id = ?")
      .run(KEY.publicKey, device.id);
    client = await connectMqtt(fleet, device);
    client.on("message", (topic, message) => {
      if (topic === downTopic(device.id, "ack")) acked = (JSON.parse(message.toString()) as Ack).upTo;
    });
    await client.subscribeAsync(`muster/v1/${device.id}/down/+`, { qos: 1 });
    await client.publishAsync(upTopic(device.id, "birth"), JSON.stringify(birth("session-1")), { qos: 1 });
  });
  afterEach(async () => {
    client.end(true);
    await fleet.close();
  });

  it("are kept as they were signed, once however often they come", async () => {
    const report = signShadowReport(payload(), KEY);
    await send(report, report);
    assert.deepEqual(stored(), [2]);
    const text = fleet.stores.controlRaw.prepare("SELECT report FROM shadow_reports").pluck().get();
    assert.deepEqual(JSON.parse(text as string), report);
    assert.deepEqual(await noted(), []);
  });

  it("that prove nothing are not kept, said so, and hold up nothing", async () => {
    const stranger = signingKeyFrom(Buffer.alloc(32, 4));
    const good = signShadowReport(payload(), KEY);
    await send(
      signShadowReport(payload(), stranger),
      { ...good, payload: { ...good.payload, verdict: "disagreed" } },
      signShadowReport(payload({ device: "dabcdefghijklmnopqrst" }), KEY),
      signShadowReport(payload({ generation: 21 }), KEY),
      good,
    );
    assert.deepEqual(stored(), [2]);
    const notes = await noted();
    assert.equal(notes.length, 4);
    assert.equal(notes.filter((note) => note.includes("not signed by the key of this device")).length, 2);
  });

  it("are bounded: the newest eight of a device", async () => {
    const all = Array.from({ length: 12 }, (_, index) =>
      signShadowReport(payload({ generation: index + 1 }), KEY),
    );
    await send(...all);
    assert.deepEqual(stored(), [5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it("belong to rollouts that there are", async () => {
    await send(signShadowReport(payload(), KEY));
    await assert.rejects(() => new ShadowReports(fleet.stores.control).ofRollout("r-none"), {
      code: "request.not-found",
    });
  });
});
