import assert from "node:assert/strict";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import { migrate, openDatabase } from "@muster/agent/storage/database";
import { privateDirectory, readIfThere, writeAtomically } from "@muster/agent/storage/files";
import { isMusterError } from "@muster/shared/errors";

const root = mkdtempSync(join(tmpdir(), "muster-storage-"));
after(() => rmSync(root, { recursive: true }));

let count = 0;
let directory = "";
beforeEach(async () => {
  count += 1;
  directory = join(root, String(count));
  await privateDirectory(directory);
});

function filled(file: string, rows: number): void {
  const db = openDatabase(file);
  migrate(db, "test", ["CREATE TABLE t (n INTEGER, text TEXT) STRICT; CREATE INDEX t_text ON t (text)"]);
  const insert = db.prepare("INSERT INTO t VALUES (?, ?)");
  for (let n = 0; n < rows; n += 1) insert.run(n, `row ${n} ${"x".repeat(200)}`);
  db.close();
}

describe("database", () => {
  it("is durable and orderly", () => {
    const file = join(directory, "agent.db");
    filled(file, 3);
    const db = openDatabase(file);
    assert.equal(db.pragma("synchronous", { simple: true }), 2);
    assert.equal(db.pragma("journal_mode", { simple: true }), "wal");
    assert.equal(db.prepare("SELECT count(*) FROM t").pluck().get(), 3);
    db.close();
  });

  const damages: Record<string, (file: string) => void> = {
    "is no database": (file) =>
      writeFileSync(file, "this is not a database at all, but long enough to be one"),
    "has a torn page": (file) => {
      const bytes = readFileSync(file);
      bytes.fill(0xa5, 4096 * 3, 4096 * 5);
      writeFileSync(file, bytes);
    },
    "was cut short": (file) => truncateSync(file, 4096 * 2),
  };
  for (const [what, damage] of Object.entries(damages))
    it(`moves a file aside that ${what}, with its logs, and begins afresh`, () => {
      const file = join(directory, "agent.db");
      filled(file, 200);
      damage(file);
      writeFileSync(`${file}-wal`, "a stale log");
      const told: string[][] = [];
      const db = openDatabase(file, {
        now: () => Date.UTC(2026, 10, 22, 8, 30),
        onBroken: (...what) => told.push(what),
      });
      migrate(db, "test", ["CREATE TABLE t (n INTEGER) STRICT"]);
      assert.equal(db.prepare("SELECT count(*) FROM t").pluck().get(), 0);
      db.close();
      assert.equal(told.length, 1);
      assert.equal(told[0]?.[0], `${file}.broken-2026-11-22T083000.000Z`);
      assert.ok(told[0]?.[1]);
      const names = readdirSync(directory);
      assert.ok(names.includes("agent.db.broken-2026-11-22T083000.000Z"), names.join());
    });

  it("keeps the newest broken file only: a dying disk must not fill up with them", () => {
    const file = join(directory, "agent.db");
    for (const day of [20, 21, 22]) {
      writeFileSync(file, "this is not a database at all, but long enough to be one");
      openDatabase(file, { now: () => Date.UTC(2026, 10, day) }).close();
    }
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.includes("broken")),
      ["agent.db.broken-2026-11-22T000000.000Z"],
    );
  });

  it("begins on a disk that is full when there is nothing to migrate", () => {
    const file = join(directory, "agent.db");
    filled(file, 3);
    const db = openDatabase(file);
    const writes = () => db.prepare("SELECT total_changes()").pluck().get();
    const before = writes();
    migrate(db, "test", ["CREATE TABLE t (n INTEGER, text TEXT) STRICT; CREATE INDEX t_text ON t (text)"]);
    assert.equal(writes(), before);
    db.close();
  });

  it("refuses a path that cannot be opened, and moves nothing", () => {
    assert.throws(
      () => openDatabase(join(directory, "missing", "agent.db")),
      (error) => isMusterError(error, "settings.invalid"),
    );
  });

  it("brings each module to its version once, and refuses newer ones", () => {
    const db = openDatabase(join(directory, "agent.db"));
    const steps = ["CREATE TABLE a (n INTEGER) STRICT", "ALTER TABLE a ADD COLUMN m INTEGER"];
    migrate(db, "one", steps.slice(0, 1));
    migrate(db, "one", steps);
    migrate(db, "one", steps);
    migrate(db, "two", ["CREATE TABLE b (n INTEGER) STRICT"]);
    db.prepare("INSERT INTO a (n, m) VALUES (1, 2)").run();
    assert.throws(
      () => migrate(db, "one", steps.slice(0, 1)),
      (error) => isMusterError(error, "storage.newer"),
    );
    assert.throws(() =>
      migrate(db, "two", [
        "CREATE TABLE b (n INTEGER) STRICT",
        "CREATE TABLE c (x INTEGER) STRICT; nonsense",
      ]),
    );
    assert.equal(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'c'").pluck().get(), 0);
    db.close();
  });
});

describe("files", () => {
  it("are replaced whole, over what a cut left behind", async () => {
    const file = join(directory, "a");
    assert.equal(await readIfThere(file), undefined);
    writeFileSync(`${file}.new`, "half");
    await writeAtomically(file, "one", 0o600);
    await writeAtomically(file, "two", 0o600);
    assert.equal(await readIfThere(file), "two");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(directory), ["a"]);
  });

  it("are kept from others: a directory that is too open is mended", async () => {
    chmodSync(directory, 0o755);
    await privateDirectory(directory);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    writeFileSync(join(directory, "file"), "");
    await assert.rejects(privateDirectory(join(directory, "file")), (error) =>
      isMusterError(error, "settings.invalid"),
    );
  });
});
