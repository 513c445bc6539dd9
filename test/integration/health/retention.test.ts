import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { ROLLUPS } from "@muster/control-plane/health/rollup-store";
import { applyRetention, Retention } from "@muster/control-plane/ingest/retention";
import { dayTables } from "@muster/control-plane/storage/day-tables";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { batch, heartbeat } from "../../support/fleet/messages.ts";

const DAY = 86_400_000;
const settings = { resultDays: 14, heartbeatHours: 48, eventsPerDevice: 1000 };

describe("retention of heartbeats and their sums", () => {
  let fleet: TestFleet;
  let device: string;
  let clock: number;

  beforeEach(async () => {
    clock = Date.UTC(2026, 10, 1, 12);
    fleet = await startFleet({ now: () => clock });
    device = (await fleet.enroll()).id;
  });
  afterEach(() => fleet.close());

  const rows = () =>
    Object.fromEntries(
      ROLLUPS.map((rollup) => [
        rollup,
        fleet.stores.telemetryRaw.prepare(`SELECT count(*) FROM rollups_${rollup}`).pluck().get(),
      ]),
    );
  const beats = () => dayTables(fleet.stores.telemetryRaw, "heartbeats").length;
  const say = async (channel: "heartbeat" | "batch", message: object) => {
    fleet.ingest.handle(device, channel, Buffer.from(JSON.stringify(message)));
    await fleet.ingest.flush();
  };
  const pass = async (ms: number) => {
    clock += ms;
    await fleet.health.ledger.tick();
  };

  it("drops heartbeats first, 5 minutes after them, hours last", async () => {
    await say("heartbeat", heartbeat("session-1", 1));
    await pass(3_600_000);
    // Fleet, two sites, class; the device has one bucket and one hour.
    assert.deepEqual(rows(), { device_5m: 1, device_1h: 1, group_5m: 4, group_1h: 4 });
    for (const [days, kept, tables] of [
      [1, { device_5m: 1, device_1h: 1, group_5m: 4, group_1h: 4 }, 1],
      [3, { device_5m: 0, device_1h: 1, group_5m: 4, group_1h: 4 }, 0],
      [31, { device_5m: 0, device_1h: 0, group_5m: 0, group_1h: 4 }, 0],
      [401, { device_5m: 0, device_1h: 0, group_5m: 0, group_1h: 0 }, 0],
    ] as const) {
      await applyRetention(fleet.stores, settings, clock + days * DAY);
      assert.deepEqual(rows(), kept, `${days} days`);
      assert.equal(beats(), tables, `${days} days`);
    }
  });

  it("goes on counting after the table of the day was dropped", async () => {
    await say("heartbeat", heartbeat("session-1", 1));
    await pass(4 * DAY);
    const retention = new Retention(
      fleet.stores,
      settings,
      () => clock,
      () => fleet.ingest.forgetTables(),
    );
    await Promise.all([retention.run(), retention.run()]);
    await retention.stop();
    assert.equal(beats(), 0);
    await say("heartbeat", heartbeat("session-1", 1));
    assert.equal(fleet.health.ledger.repeats, 1, "it is known still");
    await say("heartbeat", heartbeat("session-1", 2));
    assert.equal(beats(), 1);
    assert.deepEqual(fleet.errors, []);
  });

  it("forgets gaps with the results that they were among", async () => {
    const body = { kind: "result", records: 9, fromSeq: 1, toSeq: 9 };
    await say("batch", { ...batch("session-1", []), records: [{ seq: 10, kind: "gap", at: 1, body }] });
    const gaps = () => fleet.stores.telemetryRaw.prepare("SELECT count(*) FROM gaps").pluck().get();
    await fleet.health.book.refresh();
    const told = fleet.health.book.of(device)?.reasons.find(({ code }) => code === "lost-records");
    assert.match(told?.sentence ?? "", /9 records/);
    await applyRetention(fleet.stores, settings, clock + 13 * DAY);
    assert.equal(gaps(), 1);
    await applyRetention(fleet.stores, settings, clock + 15 * DAY);
    assert.equal(gaps(), 0);
  });
});
