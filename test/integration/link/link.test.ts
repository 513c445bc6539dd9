import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import type { LinkPorts, LinkSettings } from "@muster/agent/link/ports";
import { Batch, Birth, StateMessage, Will } from "@muster/shared/protocol/messages";
import { validate } from "@muster/shared/protocol/validate";
import { deviceTls, type Fleet, makeFleet } from "./fleet.ts";
import { idleHealth, idleState, makeAgent } from "./test-agent.ts";
import { TestBroker } from "./test-broker.ts";

let fleet: Fleet;
before(async () => {
  fleet = await makeFleet();
});
after(() => fleet.remove());

const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

async function broker(port?: number): Promise<TestBroker> {
  const started = await TestBroker.start(fleet, port);
  cleanup.push(() => started.stop());
  return started;
}

function agent(url: string, settings?: Partial<LinkSettings>, ports?: Partial<LinkPorts>) {
  const made = makeAgent(fleet, url, settings, ports);
  cleanup.push(made.stop);
  return made;
}

/** Looks until `condition` holds: for what no message tells. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

describe("link", () => {
  it("says who it is, how it is and what it has kept, and forgets what is acknowledged", async () => {
    const hub = await broker();
    hub.acknowledgeAll();
    const box = agent(hub.url);
    box.record(25);
    box.link.start();
    await eventually(() => box.outbox.position().ackedSeq === 25);
    await hub.until(() => hub.of("heartbeat").length > 1);
    const kinds = hub.received.map(({ channel }) => channel);
    assert.deepEqual(kinds.slice(0, 3), ["birth", "state", "batch"]);
    const birth = validate(Birth, hub.of("birth")[0], "wire.malformed");
    assert.equal(birth.outbox.lastSeq, 25);
    const state = validate(StateMessage, hub.of("state")[0], "wire.malformed");
    assert.deepEqual([state.session, state.seq], [birth.session, 1]);
    for (const batch of hub.of("batch"))
      assert.ok(validate(Batch, batch, "wire.malformed").records.length <= 10);
    assert.deepEqual(
      hub.seqs(),
      Array.from({ length: 25 }, (_, i) => i + 1),
    );
    assert.deepEqual(
      hub
        .of("heartbeat")
        .slice(0, 2)
        .map(({ seq }) => seq),
      [1, 2],
    );
    assert.ok(hub.received.every(({ retain }) => !retain));
    assert.equal(box.outbox.read(0, 10, 1e6).length, 0);
    assert.equal(box.link.status().state, "online");
  });

  it("sends new records and changes of state by itself", async () => {
    const hub = await broker();
    hub.acknowledgeAll();
    const box = agent(hub.url);
    box.link.start();
    await hub.until(() => hub.of("state").length === 1);
    box.record(1);
    await hub.until(() => hub.seqs().length === 1);
    for (let i = 0; i < 5; i += 1) box.link.stateChanged();
    await hub.until(() => hub.of("state").length === 2);
    assert.equal(hub.of("state")[1].seq, 2);
  });

  it("keeps a window, and sends again from the acknowledged position until it is acknowledged", async () => {
    const hub = await broker();
    const box = agent(hub.url);
    box.record(100);
    box.link.start();
    await hub.until(() => hub.seqs().length >= 40);
    assert.deepEqual(
      hub.seqs().slice(0, 40),
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    await hub.acknowledge(box.outbox.position().id, 15);
    await hub.until(() => hub.seqs().filter((seq) => seq === 16).length >= 2);
    assert.equal(hub.seqs().filter((seq) => seq === 10).length, 1);
    hub.acknowledgeAll();
    await eventually(() => box.outbox.position().ackedSeq === 100);
    assert.deepEqual(
      [...new Set(hub.seqs())].sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
  });

  it("comes back after the broker was away, in a new session, and loses nothing", async () => {
    let hub = await broker();
    hub.acknowledgeAll();
    const box = agent(hub.url);
    box.record(30);
    box.link.start();
    await eventually(() => box.outbox.position().ackedSeq === 30);
    const first = hub.of("birth")[0].session;
    const { port } = hub;
    await hub.stop();
    box.record(30);
    await eventually(() => box.link.status().state !== "online");
    assert.match(box.link.status().lastError?.code ?? "", /^request\.(unreachable|timeout)$/);
    hub = await broker(port);
    hub.acknowledgeAll();
    await eventually(() => box.outbox.position().ackedSeq === 60);
    assert.notEqual(hub.of("birth")[0].session, first);
    assert.deepEqual(
      hub.seqs(),
      Array.from({ length: 30 }, (_, i) => i + 31),
    );
  });

  it("survives cuts at any moment: every record arrives, and repeats only what was not acknowledged", async () => {
    const hub = await broker();
    hub.acknowledgeAll();
    const box = agent(hub.url, { reconnect: { minMs: 1, maxMs: 5, startDelayMs: 0 } });
    box.link.start();
    for (let round = 0; round < 20; round += 1) {
      box.record(7);
      await delay(Math.random() * 30);
      hub.cut();
    }
    await eventually(() => box.outbox.position().ackedSeq === 140);
    assert.deepEqual(
      [...new Set(hub.seqs())].sort((a, b) => a - b),
      Array.from({ length: 140 }, (_, i) => i + 1),
    );
    let acked = 0;
    for (const { records, outbox } of hub.of("batch")) {
      assert.equal(outbox, box.outbox.position().id);
      // Within a batch seqs ascend, and no batch begins behind a hole.
      const seqs = records.map(({ seq }: { seq: number }) => seq);
      assert.deepEqual(
        seqs,
        seqs.map((_: number, i: number) => seqs[0] + i),
      );
      assert.ok(records[0].seq <= acked + 1);
      acked = Math.max(acked, records.at(-1).seq);
    }
  });

  it("repeats heartbeats that a cut may have swallowed: told apart by session and number, none is missing", async () => {
    const hub = await broker();
    let taken = 0;
    const box = agent(
      hub.url,
      { heartbeatMs: 15 },
      {
        vitals: () => {
          taken += 1;
          return { uptimeSeconds: taken, health: idleHealth, inference: [] };
        },
      },
    );
    box.link.start();
    for (let cut = 1; cut <= 4; cut += 1) {
      await hub.until(() => hub.of("birth").length === cut && new Set(uptimes()).size > cut * 3);
      hub.cut();
    }
    await hub.until(() => hub.of("birth").length === 5);
    await box.stop();
    cleanup.splice(cleanup.indexOf(box.stop), 1);
    await hub.until(() => new Set(uptimes()).size >= taken);
    const names = hub.of("heartbeat").map(({ session, seq }) => `${session}/${seq}`);
    assert.ok(names.length > new Set(names).size, "some came again");
    const known = new Map(hub.of("heartbeat").map((beat) => [`${beat.session}/${beat.seq}`, beat]));
    assert.deepEqual(
      [...known.values()].map(({ uptimeSeconds }) => uptimeSeconds).sort((a, b) => a - b),
      Array.from({ length: taken }, (_, index) => index + 1),
    );
    const connected = [...known.values()].reduce((sum, { agent: line }) => sum + line.connectedMs, 0);
    const operational = [...known.values()].reduce((sum, { agent: line }) => sum + line.operationalMs, 0);
    assert.ok(connected > 0 && connected <= operational);
    assert.equal(
      [...known.values()].reduce((sum, { agent: line }) => sum + line.syncSucceeded, 0),
      5,
    );

    function uptimes(): number[] {
      return hub.of("heartbeat").map(({ uptimeSeconds }) => uptimeSeconds);
    }
  });

  it("leaves a will with its session when it is cut, and says so itself when it stops", async () => {
    const hub = await broker();
    const box = agent(hub.url);
    box.link.start();
    await hub.until(() => hub.of("birth").length === 1);
    hub.cut();
    await hub.until(() => hub.of("will").length === 1 && hub.of("birth").length === 2);
    const [first, second] = hub.of("birth");
    assert.equal(validate(Will, hub.of("will")[0], "wire.malformed").session, first.session);
    await eventually(() => box.link.status().state === "online");
    await box.link.stop();
    await hub.until(() => hub.of("will").length >= 2);
    await delay(50);
    assert.deepEqual(
      hub.of("will").map(({ session }) => session),
      [first.session, second.session],
    );
    assert.equal(box.link.status().state, "stopped");
  });

  it("hands directives over, the retained one included", async () => {
    const hub = await broker();
    await hub.down("desired", '{"generation": 1}', true);
    const box = agent(hub.url);
    box.link.start();
    await eventually(() => box.offered.length === 1);
    await hub.down("desired", "not even JSON");
    await hub.down("desired", "");
    await hub.down("desired", '{"generation": 2}');
    await eventually(() => box.offered.length === 3);
    assert.deepEqual(box.offered, ['mqtt {"generation": 1}', "mqtt not even JSON", 'mqtt {"generation": 2}']);
  });

  it("hands commands over as they came, and no empty one", async () => {
    const hub = await broker();
    const commands: string[] = [];
    const box = agent(hub.url, {}, { command: (payload) => commands.push(Buffer.from(payload).toString()) });
    await hub.down("command", '{"retained": true}', true);
    box.link.start();
    await eventually(() => commands.length === 1);
    await hub.down("command", "");
    await hub.down("command", '{"v": 1}');
    await eventually(() => commands.length === 2);
    assert.deepEqual(commands, ['{"retained": true}', '{"v": 1}']);
    assert.equal(box.link.status().misunderstood, 0);
  });

  it("drops a packet without an end before it fills the memory", async () => {
    const flood = createTlsServer(
      { ...fleet.server.secureContext(), requestCert: true, rejectUnauthorized: true },
      (socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => {
          socket.write(Buffer.from([0x20, 2, 0, 0]));
          socket.once("data", (packet) => {
            socket.write(Buffer.from([0x90, 3, packet[2] ?? 0, packet[3] ?? 0, 1]));
            socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
            const pour = () => {
              while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
            };
            socket.on("drain", pour);
            pour();
          });
        });
      },
    );
    await new Promise<void>((resolve) => flood.listen(0, "127.0.0.1", resolve));
    const { port } = flood.address() as { port: number };
    const reasons: unknown[] = [];
    const box = agent(
      `mqtts://127.0.0.1:${port}`,
      { reconnect: { minMs: 60_000, maxMs: 60_000, startDelayMs: 0 } },
      {
        random: () => 0.99,
        log: { info: (fields) => reasons.push((fields as { code?: string }).code), warn: () => undefined },
      },
    );
    box.link.start();
    await eventually(() => reasons.includes("wire.oversized"));
    await box.link.stop();
    await new Promise((resolve) => flood.close(resolve));
  });

  it("says when it is online, each time", async () => {
    const hub = await broker();
    let times = 0;
    const box = agent(
      hub.url,
      {},
      {
        online: () => {
          times += 1;
        },
      },
    );
    box.link.start();
    await hub.until(() => hub.of("birth").length === 1);
    assert.equal(times, 1);
    hub.cut();
    await hub.until(() => hub.of("birth").length === 2);
    assert.equal(times, 2);
  });

  it("drops what it cannot understand, tells it once, and goes on", async () => {
    const hub = await broker();
    const warned: object[] = [];
    const box = agent(hub.url, {}, { log: { info: () => undefined, warn: (fields) => warned.push(fields) } });
    box.link.start();
    await hub.until(() => hub.of("state").length === 1);
    const { id } = box.outbox.position();
    const bad = [
      "nonsense",
      "{}",
      `{"v": 2, "outbox": "${id}", "upTo": 1}`,
      `{"v": 1, "outbox": "${id}", "upTo": -1}`,
      `{"v": 1, "outbox": "${id}"}`,
      `{"v": 1, "outbox": "${id}", "upTo": 1e99}`,
      " ".repeat(300_000),
    ];
    for (let round = 0; round < 3; round += 1) for (const payload of bad) await hub.down("ack", payload);
    await hub.down("desired", " ".repeat(300_000));
    await eventually(() => box.link.status().misunderstood === bad.length * 3 + 1);
    await hub.until(() => new Set(hub.seqs()).size === 3);
    assert.equal(warned.length, 3, "a flood of messages is no flood of log lines");
    const codes = new Set(
      hub
        .of("batch")
        .flatMap(({ records }) => records.map(({ body }: { body: { code: string } }) => body.code)),
    );
    assert.deepEqual([...codes].sort(), ["wire.malformed", "wire.oversized", "wire.version-unknown"]);
    assert.equal(box.offered.length, 0);
    await hub.acknowledge("of-another-outbox", 3);
    await hub.acknowledge(id, 3);
    await eventually(() => box.outbox.position().ackedSeq === 3);
  });

  it("takes a directive that its engine fails on as an event, not as its own end", async () => {
    const hub = await broker();
    const box = agent(hub.url, {}, { offer: () => Promise.reject(new Error("the engine stumbled")) });
    box.link.start();
    await hub.until(() => hub.of("state").length === 1);
    await hub.down("desired", "{}");
    await hub.until(() => hub.seqs().length === 1);
    assert.match(hub.of("batch")[0].records[0].body.message, /the engine stumbled/);
  });

  it("takes a new outbox id when the control plane is ahead of it", async () => {
    const hub = await broker();
    const box = agent(hub.url);
    box.record(3);
    box.link.start();
    await hub.until(() => hub.seqs().length >= 3);
    const { id } = box.outbox.position();
    await hub.acknowledge(id, 500);
    await eventually(() => box.outbox.position().id !== id);
    hub.acknowledgeAll();
    await eventually(() => box.outbox.position().ackedSeq === 3);
    const last = hub.of("batch").at(-1);
    assert.equal(last.outbox, box.outbox.position().id);
    assert.deepEqual(
      last.records.map(({ seq }: { seq: number }) => seq),
      [1, 2, 3],
    );
  });

  it("gives up a connection that stands and says nothing, before the library does", async () => {
    const hub = await broker();
    let skipped = 0;
    const reasons: unknown[] = [];
    const box = agent(
      hub.url,
      { keepaliveSeconds: 1, heartbeatMs: 3_600_000 },
      {
        monotonic: () => performance.now() + skipped,
        log: {
          info: (fields) => {
            if ("reason" in fields) reasons.push(fields.reason);
          },
          warn: () => undefined,
        },
      },
    );
    box.link.start();
    await hub.until(() => hub.of("state").length === 1);
    hub.freeze();
    // What was on its way still arrives.
    await delay(200);
    skipped = 10_000;
    await hub.until(() => hub.of("birth").length === 2);
    assert.match(String(reasons[0]), /was silent for 3 s/);
  });

  it("gives up a broker that takes the connection and never answers", async () => {
    const { createServer } = await import("node:net");
    const silent = createServer((socket) => socket.on("error", () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const box = agent(`mqtts://127.0.0.1:${port}`, { connectTimeoutMs: 100 });
    box.link.start();
    await eventually(() => box.link.status().lastError?.code === "request.timeout");
    await box.link.stop();
    await new Promise((resolve) => silent.close(resolve));
  });

  it("keeps trying, and tells why, when the broker was told as something that is no address", async () => {
    for (const url of ["nonsense", "mqtt://127.0.0.1:1", "mqtts://127.0.0.1:99999"]) {
      const box = agent(url);
      box.link.start();
      await eventually(() => box.link.status().lastError?.code === "settings.invalid");
      await box.link.stop();
    }
  });

  it("yields to another connection of the same device and comes back", async () => {
    const hub = await broker();
    const one = agent(hub.url, { reconnect: { minMs: 200, maxMs: 400, startDelayMs: 0 } });
    one.link.start();
    await hub.until(() => hub.of("birth").length === 1);
    const two = agent(hub.url, { reconnect: { minMs: 200, maxMs: 400, startDelayMs: 0 } });
    two.link.start();
    await hub.until(() => hub.of("birth").length === 2);
    await eventually(() => one.link.status().state !== "online");
    await two.link.stop();
    await hub.until(
      () => hub.of("birth").at(-1).session !== hub.of("birth")[1].session && hub.of("birth").length > 2,
    );
    await eventually(() => one.link.status().state === "online");
  });

  it("keeps trying, and tells why, when the certificates do not fit", async () => {
    const hub = await broker();
    const stranger = await makeFleet();
    cleanup.push(async () => stranger.remove());
    const unknown = agent(hub.url, {}, { tls: () => ({ ...fleet.tls, ca: stranger.authority.certificate }) });
    unknown.link.start();
    await eventually(() => unknown.link.status().lastError?.code === "certificate.server-untrusted");
    const refused = agent(
      hub.url,
      {},
      {
        tls: () => ({ ...stranger.tls, ca: fleet.authority.certificate }),
      },
    );
    refused.link.start();
    await eventually(() => refused.link.status().lastError !== null);
    assert.notEqual(refused.link.status().state, "online");
    const late = agent(
      hub.url,
      {},
      { tls: () => deviceTls(fleet.authority, fleet.keys, 1, Date.now() - 2 * 86_400_000) },
    );
    late.link.start();
    await eventually(() => late.link.status().lastError !== null);
    assert.notEqual(late.link.status().state, "online");
    assert.equal(hub.received.length, 0);
  });

  it("tells the state as it is at each birth", async () => {
    const hub = await broker();
    let generation = 1;
    const box = agent(hub.url, {}, { reported: () => ({ ...idleState, generation }) });
    box.link.start();
    await hub.until(() => hub.of("birth").length === 1);
    generation = 2;
    hub.cut();
    await hub.until(() => hub.of("birth").length === 2);
    assert.deepEqual(
      hub.of("birth").map(({ state }) => state.generation),
      [1, 2],
    );
  });
});
