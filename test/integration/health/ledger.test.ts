import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { HeartbeatLedger } from "@muster/control-plane/health/ledger";
import { ScopeSums } from "@muster/control-plane/health/scope-sums";
import type { Scope } from "@muster/control-plane/health/scopes";
import { AT } from "@muster/control-plane/health/sums";
import type { HeartbeatEntry } from "@muster/control-plane/ingest/entries";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import type { Heartbeat } from "@muster/shared/protocol/messages";
import { heartbeat, inference, release } from "../../support/fleet/messages.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 10, 22, 10, 2);

const places = new Map([
  ["lathe", { site: "eu/berlin", hardwareClass: "x64-cpu" }],
  ["press", { site: "eu/paris", hardwareClass: "arm64-cpu" }],
]);
const known = new Set([release("1.0.0", 1).digest, release("2.0.0", 2).digest]);

const fleet: Scope = { kind: "site", name: "" };
const site = (name: string): Scope => ({ kind: "site", name });
const device = (name: string): Scope => ({ kind: "device", name });
const ofRelease = (sequence: number): Scope => ({
  kind: "release",
  name: release(`${sequence}.0.0`, sequence).digest,
});

describe("ledger of heartbeats", () => {
  let directory: string;
  let stores: Stores;
  let ledger: HeartbeatLedger;
  let clock: number;

  const open = async () => {
    stores = await openStores(directory);
    ledger = await HeartbeatLedger.open(stores, {
      placeOf: (id) => places.get(id),
      isRelease: (digest) => known.has(digest),
      now: () => clock,
    });
  };
  /** As after `kill -9`: nothing is said farewell to. */
  const restart = async () => {
    await stores.close();
    await open();
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "muster-ledger-"));
    clock = START;
    await open();
  });
  afterEach(async () => {
    await stores.close();
    await rm(directory, { recursive: true });
  });

  const entry = (
    id: string,
    session: string,
    seq: number,
    more: Partial<Heartbeat> = {},
  ): HeartbeatEntry => ({
    kind: "heartbeat",
    device: id,
    beat: { ...heartbeat(session, seq, more), at: clock },
    receivedAt: clock,
  });
  const take = async (...entries: HeartbeatEntry[]) => {
    const fresh = ledger.select(entries);
    await stores.writeTelemetry((db) => ledger.store(db, fresh));
    ledger.stored(fresh);
    return fresh.length;
  };
  const pass = async (ms: number) => {
    clock += ms;
    await ledger.tick();
  };
  const counted = async (scope: Scope, name: keyof typeof AT = "inferences") => {
    const points = await new ScopeSums(ledger).series(scope, START - HOUR, clock + HOUR, HOUR);
    const fine = await new ScopeSums(ledger).series(scope, START - HOUR, clock + HOUR, 5 * MINUTE);
    const sumOf = (all: typeof points) => all.reduce((sum, { sums }) => sum + sums[AT[name]]!, 0);
    assert.equal(sumOf(points), sumOf(fine), "hours and 5 minutes say the same");
    return sumOf(points);
  };

  it("sums up by device, site, class and release, each heartbeat once", async () => {
    assert.equal(await take(entry("lathe", "session-1", 1), entry("press", "session-9", 1)), 2);
    assert.equal(await take(entry("lathe", "session-1", 1), entry("lathe", "session-1", 2)), 1);
    assert.equal(ledger.repeats, 1);
    for (const [scope, expected] of [
      [fleet, 3],
      [site("eu"), 3],
      [site("eu/berlin"), 2],
      [{ kind: "class", name: "arm64-cpu" }, 1],
      [device("lathe"), 2],
      [ofRelease(1), 3],
      [site("us"), 0],
    ] as const)
      assert.equal(await counted(scope), expected, JSON.stringify(scope));
  });

  it("gives each release its own at a switch, and none to one that nobody knows", async () => {
    const unknown = `sha256:${"f".repeat(64)}` as const;
    const entries = [
      inference({ inferences: 4 }),
      inference({ release: release("2.0.0", 2).digest as `sha256:${string}`, inferences: 6, crashes: 1 }),
      inference({ release: unknown, inferences: 1 }),
      inference({ release: null, inferences: 2 }),
    ];
    await take(entry("lathe", "session-1", 1, { inference: entries }));
    assert.deepEqual(
      [await counted(ofRelease(1)), await counted(ofRelease(2)), await counted(device("lathe"))],
      [4, 6, 13],
    );
    assert.equal(await counted(ofRelease(2), "servingVoidMs"), 30_000);
    assert.equal(await counted(ofRelease(1), "servingVoidMs"), 0);
    await restart();
    assert.deepEqual(
      [await counted(ofRelease(1)), await counted(ofRelease(2)), await counted(device("lathe"))],
      [4, 6, 13],
    );
    assert.equal(ledger.scopes.known("release", unknown), undefined);
  });

  it("loses nothing and counts nothing twice, whenever it is killed", async () => {
    let seq = 0;
    let crashes = 0;
    for (let step = 0; step < 60; step += 1) {
      seq += 1;
      const crashed = step % 17 === 5 ? 1 : 0;
      crashes += crashed;
      await take(
        entry("lathe", "session-1", seq, { inference: [inference({ crashes: crashed })] }),
        entry("press", "session-9", seq),
      );
      if (step % 7 === 3) await restart();
      // Sometimes the clock goes on without a look at it, as before a crash.
      if (step % 3 === 0) clock += 2 * MINUTE;
      else await pass(2 * MINUTE);
      assert.equal(await take(entry("lathe", "session-1", seq)), 0, "a repeat after the restart");
    }
    await restart();
    assert.equal(await counted(device("lathe")), 60);
    assert.equal(await counted(site("eu/paris")), 60);
    assert.equal(await counted(fleet), 120);
    assert.equal(await counted(fleet, "crashes"), crashes);
    assert.equal(await counted(fleet, "operationalMs"), 120 * 30_000);
  });

  it("knows the same after a restart as without one", async () => {
    const run = async (restarts: boolean) => {
      for (let seq = 1; seq <= 50; seq += 1) {
        const more = { inference: [inference({ crashes: seq === 20 ? 1 : 0 })] };
        await take(entry("lathe", restarts ? "session-1" : "session-1", seq, more));
        await pass(3 * MINUTE);
        if (restarts && seq % 4 === 0) await restart();
      }
      const { marks, newest, crashHour } = ledger.record("lathe")!;
      return {
        marks,
        newest,
        crashHour,
        void: await counted(device("lathe"), "servingVoidMs"),
        recent: new ScopeSums(ledger).recent(device("lathe")),
        hours: new ScopeSums(ledger).recentHours(site("eu")),
      };
    };
    const without = await run(false);
    await stores.close();
    await rm(directory, { recursive: true });
    clock = START;
    await open();
    assert.deepEqual(await run(true), without);
    assert.ok(without.void > 30_000 && without.void <= 20 * 30_000, String(without.void));
  });

  it("loses no void time when it is killed in the middle of writing a bucket", async () => {
    await take(entry("lathe", "session-1", 1));
    await pass(5 * MINUTE);
    const crashed = { inference: [inference({ crashes: 1 })] };
    // More devices than one transaction takes: that of the lathe is committed, and then comes the end.
    const others = Array.from({ length: 300 }, (_, each) => entry(`box-${each}`, "session-1", 1));
    await take(entry("lathe", "session-1", 2, crashed), ...others);
    stores.telemetryRaw.exec(
      "CREATE TEMP TRIGGER poison BEFORE INSERT ON rollups_group_5m BEGIN SELECT raise(ABORT, 'poison'); END",
    );
    clock += 5 * MINUTE;
    await assert.rejects(ledger.tick());
    await restart();
    await pass(5 * MINUTE);
    assert.equal(await counted(device("lathe"), "operationalVoidMs"), 60_000);
    assert.equal(await counted(ofRelease(1), "servingVoidMs"), 60_000);
  });

  it("gives no number of a scope away twice when a transaction is rolled back", async () => {
    await Promise.allSettled([
      stores.writeTelemetry(() => {
        ledger.scopes.idOf("device", "vanished");
        throw new Error("disk");
      }),
      stores.writeTelemetry(() => void ledger.scopes.idOf("device", "kept")),
      stores.writeTelemetry(() => void ledger.scopes.idOf("device", "vanished")),
    ]);
    const [kept, vanished] = ["kept", "vanished"].map((name) => ledger.scopes.known("device", name));
    assert.notEqual(kept, vanished);
    const known = ["kept", "vanished"].map((name) => [name, ledger.scopes.known("device", name)]);
    await restart();
    for (const [name, id] of known) assert.equal(ledger.scopes.known("device", String(name)), id);
  });

  it("keeps figures of some hundred hardware classes at most, and forgets those of which nothing comes", async () => {
    const classes = () => [...ledger.groups.all()].filter(({ kind }) => kind === "class");
    const moves = async (from: number, to: number) => {
      for (let each = from; each < to; each += 1) {
        places.set("lathe", { site: "eu/berlin", hardwareClass: `made-up-${each}` });
        await take(entry("lathe", "session-1", each + 1));
      }
    };
    try {
      await moves(0, 400);
      assert.equal(classes().length, 256);
      assert.equal(await counted(site("eu/berlin")), 400);
      for (let bucket = 0; bucket < 36; bucket += 1) await pass(5 * MINUTE);
      assert.equal(classes().length, 0);
      places.set("lathe", { site: "eu/berlin", hardwareClass: "x64-cpu" });
      await take(entry("lathe", "session-1", 500));
      assert.deepEqual(
        classes().map(({ name }) => name),
        ["x64-cpu"],
      );
      assert.equal(await counted(fleet), 401);
      await restart();
      assert.equal(await counted(fleet), 401);
    } finally {
      places.set("lathe", { site: "eu/berlin", hardwareClass: "x64-cpu" });
    }
  });

  it("counts nothing of a transaction that was rolled back, and all of it at the second try", async () => {
    const entries = [entry("lathe", "session-1", 1)];
    await assert.rejects(
      stores.writeTelemetry((db) => {
        ledger.store(db, ledger.select(entries));
        throw new Error("disk");
      }),
    );
    ledger.forgetTables();
    assert.equal(await counted(fleet), 0);
    assert.equal(await take(...entries), 1);
    assert.equal(await counted(fleet), 1);
  });

  it("writes a bucket at its second try when the first one failed", async () => {
    await take(entry("lathe", "session-1", 1));
    stores.telemetryRaw.exec(
      "CREATE TEMP TRIGGER poison BEFORE INSERT ON rollups_group_5m BEGIN SELECT raise(ABORT, 'poison'); END",
    );
    clock += 5 * MINUTE;
    await assert.rejects(ledger.tick());
    await take(entry("lathe", "session-1", 2));
    stores.telemetryRaw.exec("DROP TRIGGER temp.poison");
    await pass(5 * MINUTE);
    await pass(5 * MINUTE);
    await restart();
    assert.equal(await counted(fleet), 2);
  });

  it("takes late heartbeats of the session before, but does not believe their vitals", async () => {
    const vitals = (freeDiskMiB: number) => ({ health: { ...heartbeat("s", 1).health, freeDiskMiB } });
    await take(entry("lathe", "session-1", 1, vitals(10)), entry("lathe", "session-2", 1, vitals(20)));
    assert.equal(await take(entry("lathe", "session-1", 2, vitals(30))), 1);
    assert.equal(ledger.record("lathe")?.newest?.health.freeDiskMiB, 20);
    assert.equal(await counted(device("lathe")), 3);
  });

  it("survives a clock that is set forward and back", async () => {
    await take(entry("lathe", "session-1", 1));
    await pass(30 * 24 * HOUR);
    await take(entry("lathe", "session-1", 2));
    await pass(-30 * 24 * HOUR + MINUTE);
    await take(entry("lathe", "session-1", 3));
    await pass(10 * MINUTE);
    await take(entry("lathe", "session-1", 4));
    await pass(2 * HOUR);
    await restart();
    const now = await new ScopeSums(ledger).series(fleet, START - HOUR, START + 3 * HOUR, HOUR);
    assert.equal(
      now.reduce((sum, { sums }) => sum + sums[AT.inferences]!, 0),
      3,
    );
    const later = START + 30 * 24 * HOUR;
    const [then] = await new ScopeSums(ledger).series(fleet, later - HOUR, later + HOUR, HOUR);
    assert.equal(then?.sums[AT.inferences], 1);
  });
});
