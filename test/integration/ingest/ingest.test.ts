import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { dayTableName } from "@muster/control-plane/storage/day-tables";
import type { Ack } from "@muster/shared/protocol/messages";
import { downTopic, type UpChannel, upTopic } from "@muster/shared/protocol/topics";
import type { MqttClient } from "mqtt";
import { type Credentials, connectMqtt, next } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { batch, birth, heartbeat, release, reported, results } from "../../support/fleet/messages.ts";
import { until } from "../../support/fleet/until.ts";

/** A device that keeps what it is told. */
interface Speaker {
  client: MqttClient;
  acks: Ack[];
  say(channel: UpChannel, message: unknown): Promise<unknown>;
}

async function speak(fleet: TestFleet, device: Credentials): Promise<Speaker> {
  const client = await connectMqtt(fleet, device);
  const acks: Ack[] = [];
  client.on("message", (topic, payload) => {
    if (topic === downTopic(device.id, "ack")) acks.push(JSON.parse(payload.toString()) as Ack);
  });
  await client.subscribeAsync(`muster/v1/${device.id}/down/+`, { qos: 1 });
  const say = (channel: UpChannel, message: unknown) =>
    client.publishAsync(
      upTopic(device.id, channel),
      typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message),
      { qos: 1 },
    );
  return { client, acks, say };
}

const storedSeqs = (fleet: TestFleet, device: string): number[] =>
  fleet.stores.telemetryRaw
    .prepare(
      `SELECT seq FROM ${dayTableName("results", Date.now())}
       WHERE source IN (SELECT source FROM outbox_positions WHERE device = ?) ORDER BY seq`,
    )
    .pluck()
    .all(device) as number[];

const upTo = (to: number): number[] => Array.from({ length: to }, (_, index) => index + 1);

describe("ingest", () => {
  let fleet: TestFleet;
  let device: Credentials;
  let speaker: Speaker;

  beforeEach(async () => {
    fleet = await startFleet();
    device = await fleet.enroll("press");
    speaker = await speak(fleet, device);
  });
  afterEach(async () => {
    speaker.client.end(true);
    await fleet.close();
  });

  it("acknowledges a batch once it is stored, and stores it once however often it comes", async () => {
    await speaker.say("birth", birth("session-1"));
    await speaker.say("batch", batch("session-1", results(1, 100)));
    await until(() => speaker.acks.length === 1);
    assert.deepEqual(speaker.acks[0], { v: 1, outbox: "outbox-0001", upTo: 100 });
    assert.deepEqual(storedSeqs(fleet, device.id), upTo(100));
    await speaker.say("batch", batch("session-1", results(1, 100)));
    await until(() => speaker.acks.length === 2);
    await speaker.say("batch", batch("session-1", results(51, 150)));
    await until(() => speaker.acks.length === 3);
    assert.equal(speaker.acks[2]?.upTo, 150);
    assert.deepEqual(storedSeqs(fleet, device.id), upTo(150));
    assert.equal((await fleet.fleet.get("press")).storedResults, 150);
    assert.equal((await fleet.fleet.summary()).storedResults, 150);
  });

  it("keeps the outboxes of a device apart and takes holes that eviction left", async () => {
    await speaker.say("batch", batch("session-1", results(10, 12)));
    const gap = { kind: "result", records: 9, fromSeq: 1, toSeq: 9 };
    await speaker.say(
      "batch",
      batch("session-1", [...results(15, 15), { seq: 16, kind: "gap", at: 1, body: gap }]),
    );
    await speaker.say("batch", batch("session-1", results(1, 2), "outbox-0002"));
    await until(() => speaker.acks.some(({ outbox, upTo: seq }) => outbox === "outbox-0002" && seq === 2));
    await until(() => speaker.acks.some(({ outbox, upTo: seq }) => outbox === "outbox-0001" && seq === 16));
    assert.deepEqual(storedSeqs(fleet, device.id), [1, 2, 10, 11, 12, 15]);
    const gaps = await fleet.stores.telemetry.selectFrom("gaps").selectAll().execute();
    assert.deepEqual(
      gaps.map((row) => [row.seq, row.records, row.from_seq, row.to_seq]),
      [[16, 9, 1, 9]],
    );
  });

  it("moves an update forward only, an outcome is final, and what was never issued is no attempt", async () => {
    fleet.stores.controlRaw.prepare("UPDATE devices SET generation = 2 WHERE id = ?").run(device.id);
    const update = (seq: number, generation: number, phase: string, more = {}) => ({
      seq,
      kind: "update",
      at: 1000 + seq,
      body: { generation, rollout: "rollout-1", release: release("2.0.0"), phase, ...more },
    });
    await speaker.say("batch", {
      ...batch("session-1", []),
      records: [
        update(1, 1, "accepted"),
        update(2, 1, "staged"),
        update(3, 1, "fetching"),
        update(4, 1, "rolled-back", {
          outcome: "failed-rolled-back",
          failure: { code: "model.golden-mismatch", message: "off" },
        }),
        update(5, 1, "committed", { outcome: "succeeded" }),
        update(6, 2, "accepted"),
        { seq: 7, kind: "event", at: 2000, body: { code: "runner.crashed", message: "it fell" } },
        update(8, 3, "committed", { outcome: "succeeded" }),
      ],
    });
    await until(() => speaker.acks.length > 0);
    const timeline = await fleet.fleet.timeline("press");
    const updates = timeline.flatMap((entry) => (entry.kind === "update" ? [entry] : []));
    assert.deepEqual(
      updates.map(({ generation, phase, outcome, startedAt, at }) => [
        generation,
        phase,
        outcome,
        startedAt,
        at,
      ]),
      [
        [2, "accepted", null, 1006, 1006],
        [1, "rolled-back", "failed-rolled-back", 1001, 1004],
      ],
    );
    assert.equal(updates[1]?.failure?.code, "model.golden-mismatch");
    assert.equal(timeline.find((entry) => entry.kind === "event")?.code, "runner.crashed");
  });

  it("applies a reported state only when it is newer in its session", async () => {
    const one = release("1.0.0", 1);
    const two = release("2.0.0", 2);
    await speaker.say("birth", birth("session-1", reported()));
    await speaker.say("state", { v: 1, session: "session-1", seq: 2, at: 1, state: reported(two) });
    await speaker.say("state", { v: 1, session: "session-1", seq: 1, at: 2, state: reported(one) });
    await until(async () => (await fleet.fleet.get("press")).running?.version === "2.0.0");
    await speaker.say("birth", birth("session-2", reported(one)));
    await speaker.say("state", { v: 1, session: "session-1", seq: 9, at: 3, state: reported(two) });
    await speaker.say("birth", birth("session-1", reported(two)));
    await until(async () => (await fleet.fleet.get("press")).running?.version === "1.0.0");
    await fleet.ingest.flush();
    const known = await fleet.fleet.get("press");
    assert.equal(known.running?.version, "1.0.0");
    assert.equal(known.agentVersion, "0.1.0");
    assert.deepEqual(fleet.fleet.releaseCounts(), [{ release: one, devices: 1 }]);
    assert.equal(fleet.ingest.counters.stale, 2);
  });

  it("ignores the will of an older session", async () => {
    await speaker.say("birth", birth("session-1"));
    await speaker.say("birth", birth("session-2"));
    await speaker.say("will", { v: 1, session: "session-1" });
    await speaker.say("heartbeat", heartbeat("session-2", 1));
    await until(() => fleet.ingest.counters.messages === 4);
    assert.equal((await fleet.fleet.get("press")).liveness, "online");
    assert.equal(fleet.ingest.counters.stale, 1);
  });

  it("survives malformed, unknown and foreign messages, and says so among the device's events", async () => {
    const bad: [UpChannel, unknown][] = [
      ["birth", "no json"],
      ["state", Buffer.from([0xff, 0xfe, 0x00])],
      ["heartbeat", { ...heartbeat("session-1", 1), v: 2 }],
      ["heartbeat", { ...heartbeat("session-1", 1), extra: true }],
      ["evidence", { v: 1 }],
      ["will", "null"],
      ["state", "[".repeat(5000)],
      ["state", '{"v":1,"__proto__":{"session":"x"}}'],
    ];
    for (const [channel, message] of bad) await speaker.say(channel, message);
    await until(() => fleet.ingest.counters.malformed === bad.length);
    await fleet.ingest.flush();
    const codes = (await fleet.fleet.timeline("press")).flatMap((entry) =>
      entry.kind === "event" ? [entry.code] : [],
    );
    assert.ok(codes.includes("wire.malformed"));
    assert.ok(codes.includes("wire.version-unknown"));
    assert.equal(codes.length, 6, "events about one device are limited");
    await speaker.say("batch", batch("session-1", results(1, 3)));
    await until(() => speaker.acks.length === 1);
  });

  it("acknowledges nothing after a batch that it could not read, until the next session", async () => {
    await speaker.say("birth", birth("session-1"));
    await speaker.say("batch", batch("session-1", results(1, 3)));
    await until(() => speaker.acks.length === 1);
    await speaker.say("batch", { ...batch("session-1", results(4, 6)), outbox: 7 });
    await speaker.say("batch", batch("session-1", results(7, 9)));
    await until(() => fleet.ingest.counters.refused === 1);
    await speaker.say("batch", batch("session-1", [...results(5, 5), ...results(4, 4)]));
    await speaker.say("birth", birth("session-2"));
    await speaker.say("batch", batch("session-2", results(4, 9)));
    await until(() => speaker.acks.length === 2);
    assert.equal(speaker.acks[1]?.upTo, 9);
    assert.deepEqual(storedSeqs(fleet, device.id), upTo(9));
  });

  it("acknowledges nothing that the database refused, and takes it when it is sent again", async () => {
    await speaker.say("birth", birth("session-1"));
    await speaker.say("batch", batch("session-1", results(1, 5)));
    await until(() => speaker.acks.length === 1);
    const { telemetryRaw } = fleet.stores;
    const pages = telemetryRaw.pragma("page_count", { simple: true }) as number;
    telemetryRaw.pragma(`max_page_count = ${pages}`);
    const closed = next(speaker.client, "close");
    for (let from = 6; from < 2000; from += 100)
      speaker.client.publish(
        upTopic(device.id, "batch"),
        JSON.stringify(batch("session-1", results(from, from + 99))),
        { qos: 1 },
        () => {},
      );
    await closed;
    await fleet.ingest.flush();
    assert.ok(fleet.errors.some(({ code }) => code === "storage.full"));
    const acknowledged = Math.max(...speaker.acks.map((ack) => ack.upTo));
    assert.deepEqual(storedSeqs(fleet, device.id), upTo(acknowledged));

    telemetryRaw.pragma("max_page_count = 1000000");
    speaker = await speak(fleet, device);
    await speaker.say("birth", birth("session-2"));
    await speaker.say("batch", batch("session-2", results(acknowledged + 1, acknowledged + 500)));
    await until(() => speaker.acks.length === 1);
    assert.deepEqual(storedSeqs(fleet, device.id), upTo(acknowledged + 500));
  });

  it("does not try each entry by itself while the database takes none at all", async () => {
    await speaker.say("birth", birth("session-1"));
    await until(() => fleet.ingest.counters.messages === 1);
    await fleet.ingest.flush();
    const { telemetryRaw } = fleet.stores;
    telemetryRaw.pragma("query_only = ON");
    const before = fleet.ingest.counters.failedFlushes;
    const beat = (seq: number) => Buffer.from(JSON.stringify(heartbeat("session-1", seq)));
    for (let seq = 1; seq <= 50; seq += 1) fleet.ingest.handle(device.id, "heartbeat", beat(seq));
    await fleet.ingest.flush();
    assert.equal(fleet.ingest.counters.failedFlushes, before + 1);
    telemetryRaw.pragma("query_only = OFF");
  });

  it("has every acknowledged record after a restart, and goes on from there", async () => {
    await speaker.say("birth", birth("session-1"));
    await speaker.say("batch", batch("session-1", results(1, 40)));
    await until(() => speaker.acks.length === 1);
    speaker.client.end(true);
    await fleet.close(true);
    fleet = await startFleet({ dataDir: fleet.dataDir });
    speaker = await speak(fleet, device);
    await speaker.say("birth", birth("session-2"));
    await speaker.say("batch", batch("session-2", results(21, 60)));
    await until(() => speaker.acks.length === 1);
    assert.deepEqual(storedSeqs(fleet, device.id), upTo(60));
    assert.equal((await fleet.fleet.get("press")).storedResults, 60);
  });
});
