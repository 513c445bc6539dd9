import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { applyRetention } from "@muster/control-plane/ingest/retention";
import { dayTableName } from "@muster/control-plane/storage/day-tables";
import { isMusterError } from "@muster/shared/errors";
import { startFleet, type TestFleet } from "../../support/fleet/fleet.ts";
import { batch, birth, heartbeat, release, reported, results } from "../../support/fleet/messages.ts";

const code = (expected: string) => (error: unknown) => isMusterError(error) && error.code === expected;
const DAY = 86_400_000;

describe("fleet", () => {
  let fleet: TestFleet;
  let clock = Date.UTC(2026, 10, 22, 12);
  const ids: Record<string, string> = {};

  const say = (
    device: string,
    channel: "birth" | "heartbeat" | "batch" | "state" | "will",
    message: unknown,
  ) => fleet.ingest.handle(device, channel, Buffer.from(JSON.stringify(message)));

  before(async () => {
    fleet = await startFleet({ now: () => clock });
    for (const [site, name] of [
      ["eu/de/berlin-1", "press-1"],
      ["eu/de/berlin-1", "press-2"],
      ["eu/de/berlin-10", "press-1"],
      ["eu/fr/lyon", "oven"],
      ["us/reno", "lathe"],
    ] as const)
      ids[`${site}/${name}`] = (await fleet.enroll(name, site)).id;
  });
  after(() => fleet.close());

  const idOf = (path: string): string => ids[path] ?? "";
  const names = (query: Parameters<TestFleet["fleet"]["list"]>[0]) =>
    fleet.fleet.list(query).items.map(({ site, name }) => `${site}/${name}`);

  it("lists by site, text, status, liveness and release", async () => {
    assert.equal(names({}).length, 5);
    assert.deepEqual(names({ site: "eu/de/berlin-1" }), ["eu/de/berlin-1/press-1", "eu/de/berlin-1/press-2"]);
    assert.equal(names({ site: "eu" }).length, 4);
    assert.deepEqual(names({ site: "eu/%" }), []);
    assert.deepEqual(names({ text: "LATH" }), ["us/reno/lathe"]);
    assert.deepEqual(names({ text: "_" }), []);
    assert.deepEqual(names({ status: "revoked" }), []);
    say(idOf("us/reno/lathe"), "birth", birth("session-1", reported(release("1.0.0"))));
    await fleet.ingest.flush();
    assert.deepEqual(names({ liveness: "online" }), ["us/reno/lathe"]);
    assert.deepEqual(names({ release: release("1.0.0").digest }), ["us/reno/lathe"]);
  });

  it("gives pages that join without a gap, also under a liveness filter", async () => {
    for (const query of [{}, { liveness: "offline" } as const]) {
      const whole = names(query);
      const joined: string[] = [];
      let cursor: string | undefined;
      do {
        const page = fleet.fleet.list({ ...query, limit: 2, ...(cursor ? { cursor } : {}) });
        joined.push(...page.items.map(({ site, name }) => `${site}/${name}`));
        cursor = page.next ?? undefined;
      } while (cursor);
      assert.deepEqual(joined, whole);
    }
    assert.throws(() => fleet.fleet.list({ cursor: "nonsense" }), code("request.invalid"));
    assert.throws(() => fleet.fleet.list({ limit: 0 }), code("request.invalid"));
  });

  it("finds a device by id, path, unique name and beginning of its id", async () => {
    const id = idOf("us/reno/lathe");
    for (const reference of [id, "us/reno/lathe", "lathe", id.slice(0, 12)])
      assert.equal(fleet.fleet.resolve(reference), id, reference);
    await assert.rejects(fleet.fleet.get("press-1"), code("request.conflict"));
    assert.equal(fleet.fleet.resolve("eu/de/berlin-10/press-1"), idOf("eu/de/berlin-10/press-1"));
    for (const reference of ["nobody", "us/reno", "us/lathe", "d", "", "d%"])
      await assert.rejects(fleet.fleet.get(reference), code("request.not-found"), reference);
  });

  it("sums the fleet up", async () => {
    const failed = reported(release("1.0.0"), {
      update: { generation: 2, release: release("2.0.0", 2), phase: "probation", since: 1 },
      lastResult: { generation: 1, release: release("1.0.0"), outcome: "succeeded", at: 1 },
    });
    say(idOf("us/reno/lathe"), "state", { v: 1, session: "session-1", seq: 1, at: 1, state: failed });
    say(idOf("us/reno/lathe"), "batch", batch("session-1", results(1, 7)));
    await fleet.ingest.flush();
    await fleet.standing.revoke(idOf("eu/fr/lyon/oven"), "sold");
    assert.deepEqual(await fleet.fleet.summary(), {
      devices: 5,
      active: 4,
      revoked: 1,
      withheld: 0,
      liveness: { online: 1, late: 0, offline: 3, flapping: 0 },
      releases: [
        { release: null, devices: 3 },
        { release: release("1.0.0"), devices: 1 },
      ],
      updating: { probation: 1 },
      outcomes: { succeeded: 1 },
      storedResults: 7,
    });
    const eu = fleet.fleet.sites().find(({ site }) => site === "eu");
    assert.deepEqual([eu?.devices, eu?.revoked], [3, 1]);
  });

  it("goes from online over late to offline, and comes back flapping after many reconnects", async () => {
    const lathe = idOf("us/reno/lathe");
    const liveness = async () => (await fleet.fleet.get(lathe)).liveness;
    clock += 76_000;
    assert.equal(await liveness(), "late");
    clock += 75_000;
    assert.equal(await liveness(), "offline");
    say(lathe, "heartbeat", heartbeat("session-1", 2));
    assert.equal(await liveness(), "online");
    say(lathe, "will", { v: 1, session: "session-1" });
    assert.equal(await liveness(), "online");
    clock += 5_000;
    assert.equal(await liveness(), "offline");
    for (let session = 2; session < 7; session += 1) say(lathe, "birth", birth(`session-${session}`));
    assert.equal(await liveness(), "flapping");
    clock += 600_000;
    say(lathe, "heartbeat", heartbeat("session-6", 1));
    assert.equal(await liveness(), "online");
  });

  it("does not call a device offline because nobody listened", async () => {
    say(idOf("us/reno/lathe"), "heartbeat", heartbeat("session-6", 2));
    await fleet.close(true);
    clock += 6 * 3_600_000;
    fleet = await startFleet({ dataDir: fleet.dataDir, now: () => clock });
    assert.equal((await fleet.fleet.get("lathe")).liveness, "online");
    assert.equal((await fleet.fleet.get("eu/de/berlin-1/press-1")).liveness, "offline");
    clock += 59_000;
    assert.notEqual((await fleet.fleet.get("lathe")).liveness, "offline");
    clock += 100_000;
    assert.equal((await fleet.fleet.get("lathe")).liveness, "offline");
  });

  it("drops days, events and forgotten outboxes by their limits and keeps the count of results", async () => {
    const lathe = idOf("us/reno/lathe");
    const first = dayTableName("results", clock);
    for (let day = 0; day < 4; day += 1) {
      const events = [1, 2, 3].map((n) => ({
        seq: n + 10,
        kind: "event",
        at: clock,
        body: { code: "runner.crashed", message: `${day}.${n}` },
      }));
      const mixed = { ...batch("session-6", results(1, 3), `outbox-day-${day}`) };
      say(lathe, "batch", { ...mixed, records: [...mixed.records, ...events] });
      await fleet.ingest.flush();
      clock += DAY;
    }
    const dropped = await applyRetention(
      fleet.stores,
      { resultDays: 2, heartbeatHours: 24, eventsPerDevice: 4 },
      clock,
    );
    fleet.ingest.forgetTables();
    assert.ok(dropped.includes(first));
    const kept = fleet.stores.telemetryRaw
      .prepare("SELECT name FROM sqlite_master WHERE name LIKE 'results_%' AND type = 'table'")
      .pluck()
      .all();
    assert.equal(kept.filter((name) => /\d{8}$/.test(String(name))).length, 2);
    const events = (await fleet.fleet.timeline("lathe")).filter(({ kind }) => kind === "event");
    assert.equal(events.length, 4);
    assert.equal((await fleet.fleet.get("lathe")).storedResults, 19);
    say(lathe, "batch", batch("session-6", results(14, 15), "outbox-day-3"));
    await fleet.ingest.flush();
    assert.equal((await fleet.fleet.get("lathe")).storedResults, 21);
  });
});
