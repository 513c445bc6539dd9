import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { connect } from "node:tls";
import { DOWN_CHANNELS, downFilter, downTopic, UP_CHANNELS, upTopic } from "@muster/shared/protocol/topics";
import fc from "fast-check";
import type { MqttClient } from "mqtt";
import { connectMqtt, next } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import type { TestDevice } from "../../support/fleet/keys.ts";
import { until } from "../../support/fleet/until.ts";

/** A device that was taken over: its key and certificate are good, and it says what it likes. */
describe("a malicious client of the broker", () => {
  let fleet: TestFleet;
  let thief: TestDevice & { certificate: string };
  let victim: TestDevice & { certificate: string };
  let heardByVictim: [topic: string, payload: string][];
  let victimClient: MqttClient;

  before(async () => {
    fleet = await startFleet();
    thief = await fleet.enroll("thief");
    victim = await fleet.enroll("victim");
    victimClient = await connectMqtt(fleet, victim);
    heardByVictim = [];
    victimClient.on("message", (topic, payload) => heardByVictim.push([topic, payload.toString()]));
    await victimClient.subscribeAsync(downFilter(victim.id), { qos: 1 });
  });
  after(async () => {
    await victimClient?.endAsync();
    await fleet?.close();
  });

  /** QoS that the broker granted for each filter of one SUBSCRIBE. */
  async function granted(client: MqttClient, filters: string[]): Promise<number[]> {
    const answer = new Promise<number[]>((resolve) => {
      client.once("packetreceive", function listen(packet) {
        if (packet.cmd === "suback") resolve(packet.granted as number[]);
        else client.once("packetreceive", listen);
      });
    });
    client.subscribe(filters, { qos: 1 }, () => undefined);
    return await answer;
  }

  it("is granted no filter that could match what is another's, wherever in a SUBSCRIBE it stands", async () => {
    const own = new Set([downFilter(thief.id), ...DOWN_CHANNELS.map((name) => downTopic(thief.id, name))]);
    const segment = fc.constantFrom(
      "muster",
      "v1",
      thief.id,
      victim.id,
      "+",
      "down",
      "up",
      "desired",
      "$SYS",
    );
    const odd = fc.constantFrom(
      "#",
      "+/+/+/+/+",
      "/#",
      `muster/v1/${victim.id}/#`,
      `muster/v1/+/down/desired`,
      `muster/v1/${thief.id}/#`,
      `$share/all/muster/v1/+/down/+`,
      `$share/own/${downFilter(thief.id)}`,
      `$SHARE/all/#`,
      `$queue/${downFilter(victim.id)}`,
      "$SYS/broker/clients",
      `${downTopic(victim.id, "desired")}\u200b`,
      `Muster/v1/${victim.id}/down/desired`,
      ` ${downFilter(victim.id)}`,
    );
    const filter = fc.oneof(
      odd,
      fc.constantFrom(...own),
      fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/")),
    );
    const client = await connectMqtt(fleet, thief);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(filter, { minLength: 1, maxLength: 6 }), async (filters) => {
        // mqtt.js itself refuses malformed wildcards: those are no test of the broker.
        const sendable = filters.filter((each) => !/[^/][+#]|[+#][^/]|#\/./.test(each));
        if (sendable.length === 0 || !client.connected) return;
        const answers = await granted(client, sendable);
        assert.deepEqual(
          answers.map((qos) => qos !== 128),
          sendable.map((each) => own.has(each)),
          sendable.join(" "),
        );
      }),
      { numRuns: 60 },
    );
    const heard: string[] = [];
    client.on("message", (topic) => heard.push(topic));
    await fleet.broker.publishDown(victim.id, "command", "for the victim alone");
    await fleet.broker.publishDown(thief.id, "ack", "mine");
    await until(() => heard.length > 0);
    assert.ok(
      heard.every((topic) => topic.startsWith(`muster/v1/${thief.id}/down/`)),
      heard.join(),
    );
    await client.endAsync();
  });

  it("reaches nobody by publishing, and ends its own session by trying", async () => {
    const before = heardByVictim.length;
    const attempts: [topic: string, qos: 0 | 1, retain: boolean][] = [
      ...DOWN_CHANNELS.map((channel) => [downTopic(victim.id, channel), 1, false] as [string, 1, boolean]),
      [downTopic(victim.id, "desired"), 1, true],
      ...UP_CHANNELS.map((channel) => [upTopic(victim.id, channel), 1, false] as [string, 1, boolean]),
      [upTopic(thief.id, "state"), 1, true],
      [downTopic(thief.id, "desired"), 1, true],
      ["$SYS/broker/version", 0, false],
      [`$share/all/${downTopic(victim.id, "desired")}`, 1, false],
      [`${upTopic(thief.id, "state")}/../../${victim.id}/state`, 1, false],
    ];
    for (const [topic, qos, retain] of attempts) {
      const client = await connectMqtt(fleet, thief);
      const closed = next(client, "close");
      client.publish(topic, "{}", { qos, retain }, () => undefined);
      await closed;
    }
    await fleet.broker.publishDown(victim.id, "ack", "still here");
    await until(() => heardByVictim.some(([, payload]) => payload === "still here"));
    const heard = heardByVictim.slice(before).map(([, payload]) => payload);
    assert.deepEqual(
      heard.filter((payload) => payload !== "still here" && !payload.startsWith("for the")),
      [],
    );
  });

  it("leaves nothing behind for those who come later: no retained message, no will of another", async () => {
    for (const topic of [downTopic(victim.id, "desired"), upTopic(victim.id, "will"), "$SYS/will", "will"])
      for (const retain of [false, true]) {
        const will = { topic, payload: Buffer.from("boo"), qos: 1 as const, retain };
        await assert.rejects(connectMqtt(fleet, thief, { will }), `${topic} ${retain}`);
      }
    const fresh = await fleet.enroll("fresh");
    const client = await connectMqtt(fleet, fresh);
    const heard: string[] = [];
    client.on("message", (topic) => heard.push(topic));
    await client.subscribeAsync(downFilter(fresh.id), { qos: 1 });
    await fleet.broker.publishDown(fresh.id, "ack", "end");
    await until(() => heard.length > 0);
    assert.deepEqual(heard, [downTopic(fresh.id, "ack")]);
    await client.endAsync();
  });

  it("cannot be another: not by client id, user name, protocol version or a stranger's certificate", async () => {
    const as = (options: object) => connectMqtt(fleet, thief, options);
    await assert.rejects(as({ clientId: victim.id }));
    await assert.rejects(as({ clientId: victim.id, username: victim.id, password: "x" }));
    await assert.rejects(as({ clientId: `${thief.id}\u0000` }));
    // The certificate of another without its key: TLS itself refuses that, on either side.
    await assert.rejects(async () => connectMqtt(fleet, { ...thief, certificate: victim.certificate }));
    assert.ok(fleet.broker.isConnected(victim.id), "the victim's session is as it was");
    // What it says under its own name is taken as its own, whatever the payload claims.
    const client = await as({});
    const lie = JSON.stringify({ v: 1, device: victim.id });
    client.publish(upTopic(thief.id, "birth"), lie, { qos: 1 }, () => undefined);
    await until(async () => {
      await fleet.ingest.flush();
      return (await fleet.fleet.timeline(thief.id)).some((entry) => entry.kind === "event");
    });
    assert.deepEqual(await fleet.fleet.timeline(victim.id), []);
    assert.ok(fleet.broker.isConnected(victim.id));
    client.end(true);
  });

  it("gets nowhere with packets that MQTT does not have", async () => {
    const connectPacket = Buffer.concat([
      Buffer.from([0x10, 12 + 2 + thief.id.length - 2]),
      Buffer.from([0, 4]),
      Buffer.from("MQTT"),
      Buffer.from([4, 2, 0, 60, 0, thief.id.length]),
      Buffer.from(thief.id),
    ]);
    const digest = createHash("sha256").update("malformed").digest();
    const packets: Buffer[] = [
      // SUBSCRIBE before CONNECT, PUBLISH before CONNECT, a packet of a reserved type, one without an end.
      Buffer.from([0x82, 6, 0, 1, 0, 1, 0x23, 0]),
      Buffer.from([0x30, 4, 0, 1, 0x61, 0x62]),
      Buffer.from([0xf0, 0]),
      Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff]),
      Buffer.concat([connectPacket, Buffer.from([0x82, 0xff, 0xff, 0xff, 0x7f]), digest]),
      Buffer.concat([connectPacket, connectPacket]),
      digest,
    ];
    for (const packet of packets) {
      const socket = connect({
        host: "localhost",
        port: fleet.mqttPort,
        key: thief.key,
        cert: thief.certificate,
        ca: fleet.authority.certificate,
      });
      socket.on("error", () => undefined).resume();
      socket.once("secureConnect", () => socket.write(packet));
      await new Promise((resolve) => socket.once("close", resolve));
    }
    assert.ok(fleet.broker.isConnected(victim.id));
    const client = await connectMqtt(fleet, thief);
    await client.endAsync();
  });
});
