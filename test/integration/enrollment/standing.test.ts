import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import type { Command } from "@muster/shared/protocol/command";
import { DEVICE_API } from "@muster/shared/protocol/device-api";
import { downTopic, upTopic } from "@muster/shared/protocol/topics";
import { verifyCommand } from "@muster/shared/trust/command";
import type { MqttClient } from "mqtt";
import { askDeviceApi, connectMqtt, next } from "../../support/fleet/client.ts";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { enrollRequest, newDevice } from "../../support/fleet/keys.ts";

const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;
type Enrolled = Awaited<ReturnType<TestFleet["enroll"]>>;

describe("standing of a device", () => {
  let fleet: TestFleet;
  let device: Enrolled;
  before(async () => {
    fleet = await startFleet();
  });
  after(() => fleet.close());
  beforeEach(async () => {
    device = await fleet.enroll();
  });

  const statusOf = async () => (await fleet.fleet.get(device.id)).status;
  const direct = async (text: string) => {
    await fleet.stores.writeControl((db) =>
      db.prepare("UPDATE devices SET generation = 1, directive = ? WHERE id = ?").run(text, device.id),
    );
    await fleet.broker.publishDown(device.id, "desired", text, { retain: true });
  };
  /** What a device finds waiting when it subscribes. */
  const waiting = async (channel: "desired" | "command"): Promise<string | undefined> => {
    const client = await connectMqtt(fleet, device);
    const heard: string[] = [];
    client.on("message", (_topic, payload) => heard.push(payload.toString()));
    await client.subscribeAsync(downTopic(device.id, channel), { qos: 1 });
    // Retained messages follow the SUBACK at once; this one comes behind them.
    const mark = downTopic(device.id, "ack");
    await client.subscribeAsync(mark, { qos: 1 });
    const marked = new Promise<void>((resolve) =>
      client.on("message", (topic) => topic === mark && resolve()),
    );
    await fleet.broker.publishDown(device.id, "ack", "mark");
    await marked;
    await client.endAsync(true);
    return heard.find((text) => text !== "mark");
  };

  it("lets a device in quarantine speak and tells it nothing new, until it is released", async () => {
    const text = JSON.stringify({ payload: { v: 1, release: null, generation: 1 } });
    await direct(text);
    assert.equal(await waiting("desired"), text);
    await fleet.standing.quarantine(device.id, "strange results");
    await fleet.standing.quarantine(device.id, "another reason");
    const known = await fleet.fleet.get(device.id);
    assert.equal(known.status, "quarantined");
    assert.equal(known.quarantined?.reason, "strange results");
    assert.equal(known.trust.withheld, true);
    assert.equal(await waiting("desired"), undefined);
    assert.equal((await askDeviceApi(fleet, DEVICE_API.desired, { device })).status, 204);
    const renewed = await askDeviceApi(fleet, DEVICE_API.renew, {
      method: "POST",
      device,
      body: { csr: device.csr },
    });
    assert.equal(renewed.status, 200, "its certificate goes on");

    await fleet.standing.release(device.id);
    await fleet.standing.release(device.id);
    assert.equal(await statusOf(), "active");
    assert.equal((await fleet.fleet.get(device.id)).quarantined, null);
    assert.equal(await waiting("desired"), text);
    assert.equal((await askDeviceApi(fleet, DEVICE_API.desired, { device })).text, text);
    const codes = (await fleet.fleet.timeline(device.id)).flatMap((entry) =>
      entry.kind === "event" ? [entry.code] : [],
    );
    assert.deepEqual(codes.sort(), ["device.quarantined", "device.released"]);
  });

  /** As the appraiser would store it. */
  const appraise = async (withheld: 0 | 1, withheldAfter: number | null = null) => {
    const now = Date.now();
    await fleet.stores.writeControl((db) =>
      db
        .prepare(
          `INSERT INTO attestation_standings (device, tier, claims, findings, sentence, at, fresh_at,
           not_after, withheld, withheld_after) VALUES (?, ?, '{}', '[]', 'As told.', ?, ?, ?, ?, ?)
           ON CONFLICT (device) DO UPDATE SET tier = excluded.tier, withheld = excluded.withheld,
             withheld_after = excluded.withheld_after`,
        )
        .run(
          device.id,
          withheld ? "contraindicated" : "affirming",
          now,
          now,
          now + 86_400_000,
          withheld,
          withheldAfter,
        ),
    );
    await fleet.desk.settle();
  };
  const asked = async () => (await askDeviceApi(fleet, DEVICE_API.desired, { device })).status;

  it("keeps a directive from a device that a verdict withholds, on both ways, and from one that is released meanwhile", async () => {
    const text = JSON.stringify({ payload: { v: 1, release: null, generation: 1 } });
    await direct(text);
    await appraise(1);
    assert.equal(await waiting("desired"), undefined);
    assert.equal(await asked(), 204);
    await fleet.standing.quarantine(device.id, "look");
    await fleet.standing.release(device.id);
    assert.equal(await waiting("desired"), undefined, "the verdict goes on");
    await fleet.desk.restore();
    assert.equal(await waiting("desired"), undefined, "a restart lays nothing out");
    await appraise(0, Date.now() - 1);
    assert.equal(await asked(), 204, "silence withholds too, where policy says so");
    await appraise(0);
    assert.equal(await waiting("desired"), text);
    assert.equal(await asked(), 200);
  });

  it("lets its way back through to a device that is withheld", async () => {
    const text = JSON.stringify({ payload: { v: 1, release: null, generation: 1 } });
    await direct(text);
    await appraise(1);
    const { controlRaw: db } = fleet.stores;
    db.pragma("foreign_keys = OFF");
    try {
      db.prepare(
        `INSERT INTO rollout_devices (rollout, device, site, hardware_class, wave, position, status, bytes, attempts,
         return_generation) VALUES ('r1', ?, 'eu', 'x', 0, 0, 'returning', 0, 1, 1)`,
      ).run(device.id);
    } finally {
      db.pragma("foreign_keys = ON");
    }
    await fleet.desk.offer(device.id);
    assert.equal(await waiting("desired"), text);
    assert.equal(await asked(), 200);
  });

  it("gives the board that takes its place what was set for it, and nothing more to the one before", async () => {
    const set = (name: string, id: string) =>
      fleet.secrets.set(name, { device: id }, Buffer.from(name), "anna");
    await set("camera", device.id);
    await fleet.standing.decommission(device.id, "broken");
    const token = await fleet.standing.replace(device.id, { expiresAt: Date.now() + 60_000 });
    const board = await newDevice();
    const answer = await fleet.enrollment.enroll(enrollRequest(board, token, {}), "mqtts://localhost");
    assert.ok("certificate" in answer);
    await set("own", board.id);
    fleet.directory.refresh();
    const names = async (id: string) => (await fleet.secrets.ofDevice(id)).map(({ name }) => name);
    assert.deepEqual(await names(board.id), ["camera", "own"]);
    assert.deepEqual(await names(device.id), ["camera"]);
    assert.equal((await fleet.secrets.deliver(board.id, undefined))?.document.secrets.length, 2);
    const refused = await askDeviceApi(fleet, DEVICE_API.secrets, { device });
    assert.equal(refused.problem().code, "certificate.revoked");
    const waits = fleet.stores.controlRaw
      .prepare("SELECT count(*) FROM device_commands WHERE device = ? AND ended_at IS NULL")
      .pluck();
    assert.equal(waits.get(device.id), 0, "the order to wipe goes with the board");
  });

  it("keeps a live session through a quarantine and cuts it at a revocation", async () => {
    const client = await connectMqtt(fleet, device);
    await fleet.standing.quarantine(device.id, "look");
    await client.publishAsync(upTopic(device.id, "will"), "{}", { qos: 1 });
    assert.equal(fleet.broker.isConnected(device.id), true);
    const closed = next(client, "close");
    await fleet.standing.revoke(device.id, "stolen");
    await closed;
    client.end(true);
    await assert.rejects(connectMqtt(fleet, device));
    await assert.rejects(fleet.standing.quarantine(device.id, "x"), code("request.conflict"));
    await assert.rejects(fleet.standing.release(device.id), code("request.conflict"));
    await assert.rejects(fleet.standing.decommission(device.id, "x"), code("request.conflict"));
  });

  it("keeps a wipe waiting until the device tells that it is done, and counts it as revoked from then on", async () => {
    await fleet.standing.decommission(device.id, "the shop closed");
    assert.equal(await statusOf(), "quarantined");
    await assert.rejects(fleet.standing.release(device.id), code("request.conflict"));
    const command = JSON.parse((await waiting("command")) ?? "") as Command;
    const context = { device: device.id, now: Date.now() };
    const keys = { [fleet.commandKey.keyId]: fleet.commandKey.publicKey };
    verifyCommand(command, { ...context, keys });
    assert.throws(
      () => verifyCommand(command, { ...context, keys, device: `d${"b".repeat(20)}` }),
      code("command.wrong-audience"),
    );

    // Another device cannot speak for it, and an event without an order puts nobody out.
    const bystander = await fleet.enroll();
    await tellWiped(await connectMqtt(fleet, bystander), bystander);
    assert.equal((await fleet.fleet.get(bystander.id)).status, "active");
    assert.equal(await statusOf(), "quarantined");

    await tellWiped(await connectMqtt(fleet, device), device);
    await until(async () => (await statusOf()) === "revoked");
    const known = await fleet.fleet.get(device.id);
    assert.ok(known.decommissionedAt);
    assert.match(known.revoked?.reason ?? "", /wiped itself/);
    const row = await fleet.stores.control
      .selectFrom("device_commands")
      .selectAll()
      .where("device", "=", device.id)
      .executeTakeFirstOrThrow();
    assert.match(row.outcome ?? "", /Erased 7 files/);
  });

  it("gives a wipe again as a new command and forgets it when the device is revoked", async () => {
    await fleet.standing.decommission(device.id, "first");
    const first = JSON.parse((await waiting("command")) ?? "") as Command;
    await fleet.standing.decommission(device.id, "again");
    const second = JSON.parse((await waiting("command")) ?? "") as Command;
    assert.notEqual(first.payload.id, second.payload.id);
    await fleet.standing.revoke(device.id, "it is gone");
    const open = await fleet.stores.control
      .selectFrom("device_commands")
      .select("id")
      .where("device", "=", device.id)
      .where("ended_at", "is", null)
      .execute();
    assert.deepEqual(open, []);
  });

  async function tellWiped(client: MqttClient, who: Enrolled): Promise<void> {
    const acked = new Promise<void>((resolve) => client.once("message", () => resolve()));
    await client.subscribeAsync(downTopic(who.id, "ack"), { qos: 1 });
    const body = { code: "command.wiped", message: "Erased 7 files (1 KiB)." };
    const batch = {
      v: 1,
      session: "session-0001",
      outbox: `outbox-${who.id}`,
      records: [{ seq: 1, kind: "event", at: Date.now(), body }],
    };
    await client.publishAsync(upTopic(who.id, "batch"), JSON.stringify(batch), { qos: 1 });
    await acked;
    client.end(true);
  }
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
