import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, beforeEach, describe, it } from "node:test";
import { Outbox } from "@muster/agent/outbox/outbox";
import { openDatabase } from "@muster/agent/storage/database";
import { type ErrorCode, isMusterError } from "@muster/shared/errors";

const root = mkdtempSync(join(tmpdir(), "muster-outbox-"));
after(() => rmSync(root, { recursive: true }));

let count = 0;
let file = "";
beforeEach(() => {
  count += 1;
  file = join(root, `${count}.db`);
});

const newId = () => randomUUID();
const event = (message: string) => ({
  kind: "event" as const,
  at: 1,
  body: { code: "runner.crashed", message },
});
const fails = (code: ErrorCode) => (error: unknown) => isMusterError(error, code);

describe("outbox on disk", () => {
  it("keeps what it had when the disk is full, and goes on when there is room", () => {
    const db = openDatabase(file);
    const outbox = new Outbox(db, { limitBytes: 1e9, newId });
    db.pragma(`max_page_count = ${Number(db.pragma("page_count", { simple: true })) + 20}`);
    let stored = 0;
    assert.throws(() => {
      for (; stored < 10_000; stored += 1) outbox.append([event("x".repeat(900))]);
    }, fails("storage.full"));
    assert.ok(stored > 10);
    assert.equal(outbox.position().lastSeq, stored);
    assert.equal(outbox.read(0, 10_000, 1e9).length, stored);
    assert.equal(outbox.acknowledge(outbox.position().id, stored), "trimmed");
    assert.equal(outbox.append([event("again")]), stored + 1);
    db.close();
  });

  it("refuses records that would be refused with their whole batch, and clips long messages", () => {
    const db = openDatabase(file);
    const outbox = new Outbox(db, { limitBytes: 1e6, newId });
    assert.throws(
      () => outbox.append([event("fine"), { kind: "event", at: 1, body: {} as never }]),
      fails("request.invalid"),
    );
    assert.equal(outbox.position().lastSeq, 0);
    outbox.append([event("y".repeat(5000))]);
    const [record] = outbox.read(0, 1, 1);
    assert.equal(JSON.parse(record?.text ?? "").body.message.length, 1000);
    db.close();
  });

  it("gives one record at least, and no more than asked for", () => {
    const db = openDatabase(file);
    const outbox = new Outbox(db, { limitBytes: 1e6, newId });
    outbox.append([event("a".repeat(500)), event("b".repeat(500)), event("c")]);
    assert.equal(outbox.read(0, 10, 1).length, 1);
    assert.equal(outbox.read(0, 2, 1e6).length, 2);
    assert.equal(outbox.read(2, 10, 1e6).length, 1);
    assert.equal(outbox.read(3, 10, 1e6).length, 0);
    db.close();
  });

  it("says no when nothing in it may make room", () => {
    const db = openDatabase(file);
    const outbox = new Outbox(db, { limitBytes: 2000, newId });
    assert.throws(
      () => outbox.append(Array.from({ length: 30 }, () => event("e".repeat(100)))),
      fails("outbox.full"),
    );
    assert.equal(outbox.position().lastSeq, 0);
    db.close();
  });

  it("takes acknowledgements of its own only, and a new id when it is behind them", () => {
    const db = openDatabase(file);
    const outbox = new Outbox(db, { limitBytes: 1e6, newId });
    outbox.append([event("1"), event("2"), event("3")]);
    const { id } = outbox.position();
    assert.equal(outbox.read(0, 10, 1e6).length, 3);
    assert.equal(outbox.acknowledge("someone-else", 3), "foreign");
    assert.equal(outbox.acknowledge(id, 2), "trimmed");
    assert.equal(outbox.acknowledge(id, 2), "known");
    assert.equal(outbox.acknowledge(id, 1), "known");
    db.pragma("wal_checkpoint(TRUNCATE)");
    copyFileSync(file, `${file}.image`);
    outbox.append([event("4")]);
    db.close();

    const restored = openDatabase(`${file}.image`);
    const older = new Outbox(restored, { limitBytes: 1e6, newId });
    assert.equal(older.position().id, id);
    assert.equal(older.acknowledge(id, 4), "rotated");
    assert.notEqual(older.position().id, id);
    assert.equal(older.position().lastSeq, 3);
    assert.deepEqual(
      older.read(2, 10, 1e6).map(({ seq }) => seq),
      [3],
    );
    restored.close();
  });

  it("takes no acknowledgement of what it never gave out, also when it has grown past it", () => {
    const db = openDatabase(file);
    const first = new Outbox(db, { limitBytes: 1e6, newId });
    first.append([event("1")]);
    const { id } = first.position();
    // The image of a box whose newer records, up to 5, were stored; what follows is other records.
    const older = new Outbox(db, { limitBytes: 1e6, newId });
    older.append(["2", "3", "4", "5", "6", "7"].map(event));
    assert.deepEqual(
      older.read(0, 3, 1e6).map(({ seq }) => seq),
      [1, 2, 3],
    );
    assert.equal(older.acknowledge(id, 5), "rotated");
    assert.equal(older.read(0, 10, 1e6).length, 7);
    db.close();
  });

  it("has everything that it said to have when the process is killed", async () => {
    const writer = spawn(process.execPath, [join(import.meta.dirname, "append-forever.js"), file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let promised = 0;
    for await (const line of createInterface({ input: writer.stdout })) {
      promised = Number(line);
      if (promised > 60) writer.kill("SIGKILL");
    }
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, "exit");
    const db = openDatabase(file, { onBroken: () => assert.fail("the database broke") });
    const outbox = new Outbox(db, { limitBytes: 1e9, newId });
    const records = outbox.read(0, 100_000, 1e9);
    assert.ok(records.length >= promised && promised > 60, `${records.length} of ${promised}`);
    assert.deepEqual(
      records.map(({ seq }) => seq),
      records.map((_, index) => index + 1),
    );
    assert.equal(records.length % 3, 0, "a batch is there whole or not at all");
    db.close();
  });
});
