import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { Directory } from "@muster/control-plane/fleet/directory";
import { Presence } from "@muster/control-plane/fleet/presence";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { controlMigrations } from "@muster/control-plane/storage/migrations/index";
import type { Database } from "better-sqlite3";
import fc from "fast-check";
import { release, reported } from "../../support/fleet/messages.ts";

const DEVICES = 6;
const idOf = (index: number): string => `d-${index}`;
const hardware = {
  platform: "linux",
  arch: "x64",
  cpuModel: "",
  cores: 4,
  memoryMiB: 1,
  opset: 26,
  providers: ["cpu"],
};

function insertDevice(db: Database, index: number): void {
  db.prepare(
    `INSERT INTO devices (id, name, site, labels, signing_key, hardware, hardware_class, status, enrolled_at,
       certificate_serial, certificate_expires_at)
     VALUES (?, ?, 'eu/berlin', '{}', '', ?, 'linux-x64-cpu', 'active', 1, '', 2)`,
  ).run(idOf(index), `box-${index}`, JSON.stringify(hardware));
}

/** One change that somebody may make, as SQL. */
type Change = (db: Database) => void;

const device = fc.integer({ min: 0, max: DEVICES - 1 }).map(idOf);
const word = fc.constantFrom("a", "b", "c");
const set = (column: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<Change> =>
  fc.tuple(device, value).map(([id, to]) => (db) => {
    db.prepare(`UPDATE devices SET ${column} = ? WHERE id = ?`).run(to, id);
  });
const change: fc.Arbitrary<Change> = fc.oneof(
  set(
    "labels",
    word.map((value) => JSON.stringify({ ring: value })),
  ),
  set("site", fc.constantFrom("eu/berlin", "eu/paris", "us")),
  set("status", fc.constantFrom("active", "revoked")),
  set("hardware_class", word),
  set("agent_version", word),
  set("last_seen_at", fc.nat()),
  set(
    "reported",
    fc.integer({ min: 1, max: 3 }).map((n) => JSON.stringify(reported(release(`${n}.0.0`, n)))),
  ),
  fc.tuple(device, fc.integer({ min: 1, max: 3 }), fc.constantFrom("r1", "r2"), word).map(
    ([id, generation, rollout, phase]): Change =>
      (db) => {
        db.prepare(
          `INSERT INTO device_updates (device, generation, rollout, phase, started_at, at) VALUES (?, ?, ?, ?, 1, 1)
           ON CONFLICT (device, generation) DO UPDATE SET phase = excluded.phase`,
        ).run(id, generation, rollout, phase);
      },
  ),
  fc.tuple(fc.constantFrom("eu", "eu/berlin", "us"), word).map(
    ([path, value]): Change =>
      (db) => {
        db.prepare("INSERT OR REPLACE INTO sites (path, labels) VALUES (?, ?)").run(
          path,
          JSON.stringify({ zone: value }),
        );
      },
  ),
  fc.constantFrom("eu", "eu/berlin", "us").map(
    (path): Change =>
      (db) => {
        db.prepare("DELETE FROM sites WHERE path = ?").run(path);
      },
  ),
  word.map(
    (value): Change =>
      (db) => {
        db.prepare("INSERT OR REPLACE INTO groups VALUES ('some', ?, '', 1, 1)").run(`ring=${value}`);
      },
  ),
);
const step = fc.record({
  changes: fc.array(change, { maxLength: 4 }),
  ends: fc.constantFrom("commit", "commit", "roll back"),
  refresh: fc.boolean(),
});

describe("revisions", () => {
  let dir: string;
  let stores: Stores;
  let presence: Presence;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-revisions-"));
    stores = await openStores(dir);
    await stores.writeControl((db) => {
      for (let index = 0; index < DEVICES; index += 1) insertDevice(db, index);
    });
    presence = await Presence.load(stores, { heartbeatIntervalMs: 30_000, willGraceMs: 5_000 }, () => 0);
  });
  after(async () => {
    await stores.close();
    await rm(dir, { recursive: true });
  });

  const load = () => Directory.load(stores, presence);
  const picture = (directory: Directory) =>
    [...directory.inOrder()].map((one) => ({
      ...one,
      revision: undefined,
      effectiveLabels: one.effectiveLabels,
      attempts: [one.attempts("r1"), one.attempts("r2")],
      groups: directory.groupsOf(one),
    }));

  it("whatever is written, a picture kept up is the same as a new one, and is touched only where it changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const directory = load();
        picture(directory);
        for (const { changes, ends, refresh } of steps) {
          const work = stores.writeControl((db) => {
            for (const apply of changes) apply(db);
            if (ends === "roll back") throw new Error("rolled back");
          });
          if (ends === "roll back") await assert.rejects(work);
          else await work;
          if (!refresh) continue;
          const former = new Map([...directory.all()].map((one) => [one.id, JSON.stringify(one)]));
          const { revision } = directory;
          directory.refresh();
          for (const one of directory.all())
            if (one.revision <= revision) assert.equal(JSON.stringify(one), former.get(one.id));
        }
        directory.refresh();
        assert.deepEqual(picture(directory), picture(load()));
        assert.equal(directory.refresh(), false);
      }),
      { numRuns: 60 },
    );
  });

  it("asks again for a row that could not be read", async () => {
    const directory = load();
    const write = (labels: string) =>
      stores.writeControl((db) =>
        db.prepare("UPDATE devices SET labels = ? WHERE id = ?").run(labels, idOf(0)),
      );
    await write("{broken");
    assert.throws(() => directory.refresh());
    assert.throws(() => directory.refresh());
    await write('{"ring":"mended"}');
    assert.equal(directory.refresh(), true);
    assert.deepEqual(directory.get(idOf(0))?.labels, { ring: "mended" });
  });
});

describe("revisions of a fleet from before they were kept", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "muster-revisions-"));
  });
  after(() => rm(dir, { recursive: true }));

  it("come with the migration, each row its own", async () => {
    const stores = await openStores(dir);
    const raw = stores.controlRaw;
    raw.exec("DROP TRIGGER devices_bound");
    for (const table of ["devices", "device_updates"])
      raw.exec(`DROP TRIGGER ${table}_inserted; DROP TRIGGER ${table}_changed; DROP INDEX ${table}_revision;
        ALTER TABLE ${table} DROP COLUMN revision`);
    for (const table of ["sites", "groups", "targeting_revision"]) raw.exec(`DROP TABLE ${table}`);
    for (let index = 0; index < DEVICES; index += 1) insertDevice(raw, index);
    raw.exec(
      "INSERT INTO device_updates (device, generation, phase, started_at, at) VALUES ('d-1', 1, 'fetching', 1, 1)",
    );
    await controlMigrations["0005-targeting"]?.up(stores.control);
    const revisions = () => raw.prepare("SELECT revision FROM devices ORDER BY id").pluck().all() as number[];
    assert.equal(new Set(revisions()).size, DEVICES);
    const newest = Math.max(...revisions());
    raw.exec("UPDATE devices SET name = 'x' WHERE id = 'd-2'");
    assert.equal(revisions()[2], newest + 1);
    raw.exec("UPDATE devices SET last_seen_at = 5");
    assert.equal(Math.max(...revisions()), newest + 1);
    await stores.close();
  });
});
