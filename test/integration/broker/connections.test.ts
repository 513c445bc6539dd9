import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach, describe, it } from "node:test";
import { downTopic, upTopic } from "@muster/shared/protocol/topics";
import { connectMqtt } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { until } from "../../support/fleet/until.ts";

describe("broker connections", () => {
  let fleet: TestFleet;
  const sockets: Socket[] = [];

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await fleet.close();
  });

  const open = (count: number, port = fleet.mqttPort): Socket[] => {
    const opened = Array.from({ length: count }, () => connect(port, "127.0.0.1"));
    for (const socket of opened) socket.on("error", () => undefined).resume();
    sockets.push(...opened);
    return opened;
  };

  it("turns a herd away before it costs a handshake, and serves on", async () => {
    fleet = await startFleet({ broker: { acceptPerSecond: 2 } });
    const herd = open(60);
    await until(() => herd.filter((socket) => socket.closed).length >= 40);
    assert.ok(herd.some((socket) => !socket.closed));
  });

  it("holds no more connections than its limit", async () => {
    fleet = await startFleet({ broker: { maxConnections: 5 } });
    const many = open(9);
    await until(() => many.filter((socket) => socket.closed).length === 4);
    for (const socket of many) socket.destroy();
    const device = await fleet.enroll();
    await until(async () => {
      const client = await connectMqtt(fleet, device).catch(() => undefined);
      await client?.endAsync();
      return client !== undefined;
    });
  });

  it("holds no more connections of the HTTPS listener than its limit", async () => {
    fleet = await startFleet({ broker: { maxConnections: 5 } });
    const many = open(9, fleet.httpsPort);
    await until(() => many.filter((socket) => socket.closed).length === 4);
  });

  it("survives peers that speak no TLS or leave in the middle", async () => {
    fleet = await startFleet();
    const [garbage, hello, silent] = open(3);
    garbage?.write("GET / HTTP/1.1\r\n\r\n");
    hello?.write(Buffer.from("1603010200010001fc0303", "hex"));
    silent?.destroy();
    await until(() => garbage?.closed === true);
    hello?.destroy();
    const client = await connectMqtt(fleet, await fleet.enroll());
    await client.endAsync();
  });

  it("serves all others while one device reads nothing", async () => {
    fleet = await startFleet();
    const [frozen, lively] = [await fleet.enroll("frozen"), await fleet.enroll("lively")];
    const sleeper = await connectMqtt(fleet, frozen);
    await sleeper.subscribeAsync(downTopic(frozen.id, "command"), { qos: 1 });
    sleeper.stream.pause();
    const packet = Buffer.alloc(60_000);
    for (let sent = 0; sent < 3_000; sent += 1)
      fleet.broker.publishDown(frozen.id, "command", packet).catch(() => undefined);
    const client = await connectMqtt(fleet, lively);
    const before = fleet.ingest.counters.messages;
    for (let sent = 0; sent < 100; sent += 1) client.publish(upTopic(lively.id, "heartbeat"), "{}");
    await until(() => fleet.ingest.counters.messages === before + 100);
    sleeper.end(true);
    await client.endAsync();
  });
});
