import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Ack } from "@muster/shared/protocol/messages";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { batch, birth, heartbeat, results } from "../../support/fleet/messages.ts";

describe("ingest at its limits", () => {
  let fleet: TestFleet;
  let acks: Ack[];
  let device: string;

  beforeEach(async () => {
    acks = [];
    fleet = await startFleet({
      ingest: { flushMs: 1000, flushRecords: 1000, queueRecords: 100 },
      onAck: (_device, ack) => acks.push(ack),
    });
    device = (await fleet.enroll()).id;
  });
  afterEach(() => fleet.close());

  const send = (session: string, from: number, to: number) =>
    fleet.ingest.handle(device, "batch", Buffer.from(JSON.stringify(batch(session, results(from, to)))));

  it("asks for patience when its queue is half full, and says when there is room", async () => {
    send("session-1", 1, 49);
    assert.equal(fleet.ingest.room(), undefined);
    send("session-1", 50, 60);
    const room = fleet.ingest.room();
    assert.ok(room);
    await fleet.ingest.flush();
    await room;
    assert.equal(fleet.ingest.room(), undefined);
  });

  it("never acknowledges past a batch that it had no room for", async () => {
    fleet.ingest.handle(device, "birth", Buffer.from(JSON.stringify(birth("session-1"))));
    send("session-1", 1, 60);
    send("session-1", 61, 120);
    send("session-1", 121, 130);
    await fleet.ingest.flush();
    send("session-1", 131, 140);
    await fleet.ingest.flush();
    assert.equal(fleet.ingest.counters.refused, 3);
    assert.deepEqual(acks, []);
    send("session-2", 1, 60);
    await fleet.ingest.flush();
    send("session-2", 61, 140);
    await fleet.ingest.flush();
    assert.deepEqual(
      acks.map(({ upTo }) => upTo),
      [60, 140],
    );
    assert.equal((await fleet.fleet.get(device)).storedResults, 140);
  });

  it("keeps a limited number of heartbeats, however many come", async () => {
    for (let seq = 0; seq < 300; seq += 1)
      fleet.ingest.handle(device, "heartbeat", Buffer.from(JSON.stringify(heartbeat("session-1", seq))));
    await fleet.ingest.flush();
    const [table] = fleet.stores.telemetryRaw
      .prepare("SELECT name FROM sqlite_master WHERE name LIKE 'heartbeats_%' AND type = 'table'")
      .pluck()
      .all();
    const kept = fleet.stores.telemetryRaw.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
    assert.ok(kept <= 240, `${kept} heartbeats`);
  });

  it("takes the good entries of a group that the database refuses", async () => {
    fleet.stores.telemetryRaw.exec(
      `CREATE TRIGGER poison BEFORE INSERT ON gaps BEGIN SELECT raise(ABORT, 'poison'); END`,
    );
    const other = (await fleet.enroll()).id;
    send("session-1", 1, 5);
    const gap = { seq: 6, kind: "gap", at: 1, body: { kind: "result", records: 1, fromSeq: 1, toSeq: 1 } };
    const poisoned = { ...batch("session-1", []), records: [gap] };
    fleet.ingest.handle(device, "batch", Buffer.from(JSON.stringify(poisoned)));
    fleet.ingest.handle(other, "batch", Buffer.from(JSON.stringify(batch("session-9", results(1, 3)))));
    await fleet.ingest.flush();
    assert.deepEqual(acks.map(({ upTo }) => upTo).sort(), [3, 5]);
    assert.equal(fleet.ingest.counters.refused, 1);
    assert.equal((await fleet.fleet.get(other)).storedResults, 3);
  });
});
