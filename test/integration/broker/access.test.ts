import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Broker } from "@muster/control-plane/broker/broker";
import { Authority } from "@muster/control-plane/enrollment/authority";
import { ServerIdentity } from "@muster/control-plane/enrollment/server-identity";
import { downTopic, upTopic } from "@muster/shared/protocol/topics";
import { MAX_PAYLOAD_BYTES } from "@muster/shared/protocol/wire";
import { type Credentials, connectMqtt, next } from "../../support/fleet/client.ts";
import { expiredCertificate, startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { newDevice, type TestDevice } from "../../support/fleet/keys.ts";
import { until } from "../../support/fleet/until.ts";

describe("broker access", () => {
  let fleet: TestFleet;
  let own: TestDevice & { certificate: string };
  let other: TestDevice & { certificate: string };

  before(async () => {
    fleet = await startFleet();
    own = await fleet.enroll("own");
    other = await fleet.enroll("other");
  });
  after(() => fleet.close());

  const codesOf = async (device: Credentials): Promise<string[]> => {
    await fleet.ingest.flush();
    const entries = await fleet.fleet.timeline(device.id);
    return entries.flatMap((entry) => (entry.kind === "event" ? [entry.code] : []));
  };

  it("hands what a device publishes to ingest and what is published down to the device", async () => {
    const client = await connectMqtt(fleet, own);
    await client.subscribeAsync(`muster/v1/${own.id}/down/+`, { qos: 1 });
    const arrived = next(client, "message");
    await fleet.broker.publishDown(own.id, "command", "hello");
    const [topic, payload] = (await arrived) as [string, Buffer];
    assert.equal(topic, downTopic(own.id, "command"));
    assert.equal(payload.toString(), "hello");
    assert.ok(fleet.broker.isConnected(own.id));
    await client.endAsync();
    await until(() => !fleet.broker.isConnected(own.id));
  });

  it("keeps a retained directive for a device that comes later", async () => {
    await fleet.broker.publishDown(own.id, "desired", "1", { retain: true });
    await fleet.broker.publishDown(own.id, "desired", "2", { retain: true });
    const client = await connectMqtt(fleet, own);
    const arrived = next(client, "message");
    await client.subscribeAsync(`muster/v1/${own.id}/down/+`, { qos: 1 });
    const [, payload] = (await arrived) as [string, Buffer];
    assert.equal(payload.toString(), "2");
    await client.endAsync();
  });

  it("has the retained directives again after a restart", async () => {
    const restarted = await startFleet();
    const device = await restarted.enroll();
    const directive = '{"generation":7}';
    await restarted.stores.control.updateTable("devices").set({ directive, generation: 7 }).execute();
    await restarted.close(true);
    const again = await startFleet({ dataDir: restarted.dataDir });
    const client = await connectMqtt(again, device);
    const arrived = next(client, "message");
    await client.subscribeAsync(downTopic(device.id, "desired"), { qos: 1 });
    const [topic, payload] = (await arrived) as [string, Buffer];
    assert.equal(topic, downTopic(device.id, "desired"));
    assert.equal(payload.toString(), directive);
    await client.endAsync();
    await again.close();
  });

  it("refuses connections without a good certificate", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "muster-ca-"));
    const foreign = await Authority.open(elsewhere, Date.now());
    const key = createPublicKey(own.key);
    const credentials: Record<string, Partial<Credentials>> = {
      "of another CA": { certificate: foreign.issueDevice(own.id, key, 30, Date.now()).pem },
      expired: { certificate: expiredCertificate(fleet, own) },
      "of an unknown device": await strangerOf(fleet),
    };
    for (const [name, bad] of Object.entries(credentials))
      await assert.rejects(connectMqtt(fleet, { ...own, ...bad }), Error, name);
    await assert.rejects(connectMqtt(fleet, own, { key: "", cert: "" }));
    await rm(elsewhere, { recursive: true });
  });

  it("refuses a client id that is not the certificate's, and an empty one", async () => {
    await assert.rejects(connectMqtt(fleet, own, { clientId: other.id }), /Not authorized/);
    await assert.rejects(connectMqtt(fleet, own, { clientId: "", clean: true }), /Not authorized/);
    assert.ok((await codesOf(own)).includes("wire.forbidden-topic"));
    assert.equal((await codesOf(other)).length, 0);
  });

  it("cuts a device that publishes on a topic that is not its own", async () => {
    const spy = await connectMqtt(fleet, other);
    await spy.subscribeAsync(`muster/v1/${other.id}/down/+`);
    const heard: string[] = [];
    spy.on("message", (topic) => heard.push(topic));
    const bad: [topic: string, options: { qos?: 0 | 1 | 2; retain?: boolean }][] = [
      [upTopic(other.id, "state"), { qos: 1 }],
      [downTopic(other.id, "desired"), { qos: 1, retain: true }],
      [downTopic(own.id, "desired"), {}],
      [upTopic(own.id, "state"), { qos: 1, retain: true }],
      [upTopic(own.id, "state"), { qos: 2 }],
      [`${upTopic(own.id, "state")}/more`, {}],
      ["$SYS/anything", {}],
      ["a/b/c/d/e/f/g/h/i/j/k/l", {}],
    ];
    for (const [topic, options] of bad) {
      const client = await connectMqtt(fleet, own);
      const closed = next(client, "close");
      client.publish(topic, "x", options, () => {});
      await closed;
      assert.equal(fleet.broker.isConnected(own.id), false, topic);
    }
    assert.deepEqual(heard, []);
    await spy.endAsync();
  });

  it("grants the filters that are a device's own and refuses the others of the same SUBSCRIBE", async () => {
    const client = await connectMqtt(fleet, own);
    const refused = [
      `muster/v1/${other.id}/down/+`,
      "muster/v1/+/down/desired",
      "#",
      "muster/#",
      "$SYS/#",
      `muster/v1/${own.id}/up/state`,
      `muster/v1/${own.id}/down/#`,
    ];
    const granted = [`muster/v1/${own.id}/down/ack`, `muster/v1/${own.id}/down/+`];
    const answers = new Map<string, number>();
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "suback")
        (packet.granted as number[]).forEach((qos, index) => {
          answers.set([...refused, ...granted][index] ?? "", qos);
        });
    });
    await client.subscribeAsync([...refused, ...granted], { qos: 1 }).catch(() => undefined);
    await until(() => answers.size > 0);
    for (const filter of refused) assert.equal(answers.get(filter), 128, filter);
    for (const filter of granted) assert.equal(answers.get(filter), 1, filter);

    const heard: string[] = [];
    client.on("message", (topic) => heard.push(topic));
    await fleet.broker.publishDown(other.id, "command", "secret");
    await fleet.broker.publishDown(own.id, "command", "mine");
    await until(() => heard.includes(downTopic(own.id, "command")));
    assert.ok(heard.every((topic) => topic.startsWith(`muster/v1/${own.id}/down/`)));
    await client.endAsync();
  });

  it("refuses a will on another device's topic, and a retained will", async () => {
    const payload = Buffer.from("{}");
    const wills = [
      { topic: upTopic(other.id, "will"), payload, qos: 1 as const, retain: false },
      { topic: upTopic(own.id, "will"), payload, qos: 1 as const, retain: true },
    ];
    for (const will of wills) await assert.rejects(connectMqtt(fleet, own, { will }));
  });

  it("cuts a packet that is too large before it is buffered, and lives on", async () => {
    const client = await connectMqtt(fleet, own);
    const closed = next(client, "close");
    client.publish(upTopic(own.id, "state"), Buffer.alloc(4 * MAX_PAYLOAD_BYTES), { qos: 1 }, () => {});
    await closed;
    const again = await connectMqtt(fleet, own);
    await again.endAsync();
  });

  it("ends the live session of a device that is revoked and lets it in no more", async () => {
    const gone = await fleet.enroll("gone");
    const client = await connectMqtt(fleet, gone);
    const closed = next(client, "close");
    await fleet.standing.revoke(gone.id, "stolen");
    await closed;
    await assert.rejects(connectMqtt(fleet, gone), /Not authorized/);
  });

  it("ends a session whose device is revoked while it connects", async () => {
    const identity = await ServerIdentity.open(
      fleet.authority,
      join(fleet.dataDir, "ca"),
      ["localhost"],
      Date.now(),
    );
    let asked = 0;
    const broker = await Broker.create(
      identity,
      { host: "127.0.0.1", port: 0, maxConnections: 10, acceptPerSecond: 100, handshakeTimeoutMs: 10_000 },
      {
        statusOf: () => (asked++ === 0 ? "active" : "revoked"),
        now: Date.now,
        onMessage: () => {},
        room: () => undefined,
        onViolation: () => {},
        onError: () => {},
      },
    );
    try {
      const { port: mqttPort } = await broker.listen();
      const connected = connectMqtt({ mqttPort, authority: fleet.authority }, own);
      await connected.then((client) => next(client, "close")).catch(() => undefined);
      await until(() => !broker.isConnected(own.id));
    } finally {
      await broker.close();
    }
  });

  it("cuts a session that outlives its certificate", async () => {
    let later = 0;
    const aging = await startFleet({ now: () => Date.now() + later });
    try {
      const device = await aging.enroll("aging");
      const client = await connectMqtt(aging, device);
      await client.publishAsync(upTopic(device.id, "heartbeat"), "{}", { qos: 1 });
      later = 31 * 86_400_000;
      const closed = next(client, "close");
      client.publish(upTopic(device.id, "heartbeat"), "{}", { qos: 1 }, () => {});
      await closed;
    } finally {
      await aging.close();
    }
  });

  it("lets a reconnecting device take over its own session", async () => {
    const first = await connectMqtt(fleet, own);
    const closed = next(first, "close");
    const second = await connectMqtt(fleet, own);
    await closed;
    assert.ok(fleet.broker.isConnected(own.id));
    await second.endAsync();
  });
});

async function strangerOf(fleet: TestFleet): Promise<Credentials> {
  const device = await newDevice();
  const { pem } = fleet.authority.issueDevice(device.id, createPublicKey(device.key), 30, Date.now());
  return { id: device.id, key: device.key, certificate: pem };
}
