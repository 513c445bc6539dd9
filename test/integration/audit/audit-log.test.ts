import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { actAs } from "@muster/control-plane/audit/acting";
import { AuditLog } from "@muster/control-plane/audit/audit-log";
import type { AuditEntry } from "@muster/control-plane/audit/entry";
import { type AuditReport, AuditVerifier } from "@muster/control-plane/audit/verify";
import { Freezes } from "@muster/control-plane/rollouts/freezes";
import { openStores, type Stores } from "@muster/control-plane/storage/database";
import { isMusterError } from "@muster/shared/errors";
import Sqlite from "better-sqlite3";

const ALICE = { kind: "operator", id: "o1", name: "alice" } as const;
const EVENT = { actor: ALICE, action: "key.release", subject: "device/d1", detail: { digest: "sha256:00" } };

class Desk {
  readonly dir: string;
  now = Date.UTC(2026, 10, 1);
  errors: unknown[] = [];
  stores!: Stores;
  audit!: AuditLog;

  constructor(dir: string) {
    this.dir = dir;
  }

  static async open(context: TestContext): Promise<Desk> {
    const desk = new Desk(await mkdtemp(join(tmpdir(), "muster-audit-")));
    context.after(async () => {
      await desk.close();
      await rm(desk.dir, { recursive: true });
    });
    await desk.open();
    return desk;
  }

  async open(): Promise<void> {
    this.stores = await openStores(this.dir);
    const { stores, dir: dataDir } = this;
    const onError = (error: unknown) => this.errors.push(error);
    this.audit = await AuditLog.open({ stores, dataDir, clock: () => this.now, onError });
  }

  async close(): Promise<void> {
    await this.audit.close();
    await this.stores.close();
  }

  entries(): AuditEntry[] {
    return this.audit.list({ after: 0, limit: 1000 });
  }

  /** A second connection, as somebody has who got at the files. */
  intrude(sql: string): void {
    const db = new Sqlite(join(this.dir, "control.db"));
    db.exec(`DROP TRIGGER IF EXISTS audit_log_changed; DROP TRIGGER IF EXISTS audit_log_deleted; ${sql}`);
    db.close();
  }

  verify(): AuditReport {
    const verifier = new AuditVerifier([this.audit.publicKey], this.audit.checkpoints());
    for (const entry of this.entries()) verifier.entry(entry);
    return verifier.finish();
  }
}

const told = (entries: readonly AuditEntry[]): string[] =>
  entries.map(({ actor, action, subject }) => `${actor.name}: ${action} ${subject}`);

test("a change and its entry are there together or not at all", async (context) => {
  const desk = await Desk.open(context);
  const freezes = new Freezes(desk.stores.control, () => desk.now);
  const made = await actAs(ALICE, () => freezes.create({ to: desk.now + 1000, reason: "incident" }, "alice"));
  await freezes.end(made.id, "alice");
  assert.deepEqual(told(desk.entries()), [
    `alice: freeze.create freeze/${made.id}`,
    `control plane: freeze.end freeze/${made.id}`,
  ]);
  assert.deepEqual(desk.entries()[0]?.detail, {
    from: made.from,
    reason: "incident",
    site: null,
    to: made.to,
  });

  await assert.rejects(
    desk.stores.writeControl((db) => {
      db.prepare("DELETE FROM freezes").run();
      db.prepare("INSERT INTO groups VALUES ('all', '*', '', 0, 0)").run();
      desk.audit.within(EVENT);
      throw new Error("power cut");
    }),
  );
  assert.equal(desk.entries().length, 2);
  await desk.stores.writeControl(() => desk.audit.within(EVENT));
  assert.equal(told(desk.entries())[2], "alice: key.release device/d1");
  assert.deepEqual(desk.verify().findings, []);

  // Where the entry cannot be written, the change is not made.
  desk.stores.controlRaw.exec(
    "CREATE TEMP TRIGGER full BEFORE INSERT ON main.audit_log BEGIN SELECT RAISE(ABORT, 'full'); END",
  );
  await assert.rejects(freezes.create({ to: desk.now + 1000, reason: "x" }, "alice"));
  assert.equal((await freezes.list(10)).length, 1);
});

test("what is told by note comes in its order, beside changes", async (context) => {
  const desk = await Desk.open(context);
  for (let index = 0; index < 50; index += 1) desk.audit.note({ ...EVENT, subject: `device/d${index}` });
  await desk.audit.write({ ...EVENT, subject: "device/last" });
  await desk.close();
  await desk.open();
  const subjects = desk.entries().map(({ subject }) => subject);
  assert.deepEqual(
    subjects.filter((subject) => subject !== "device/last"),
    Array.from({ length: 50 }, (_, index) => `device/d${index}`),
  );
  assert.equal(subjects.length, 51);
  assert.deepEqual(desk.errors, []);
  assert.deepEqual(desk.verify().findings, []);
});

test("the log is only appended to", async (context) => {
  const desk = await Desk.open(context);
  await desk.audit.write(EVENT);
  for (const sql of [
    "UPDATE audit_log SET detail = '{}'",
    "DELETE FROM audit_log",
    "INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log",
  ])
    assert.throws(() => desk.stores.controlRaw.exec(sql), /audit log is only|UNIQUE/, sql);
  assert.equal(desk.entries().length, 1);
});

test("every tampering with the database is found, and which entry", async (context) => {
  const desk = await Desk.open(context);
  for (let index = 0; index < 10; index += 1)
    await desk.audit.write({ ...EVENT, subject: `device/d${index}` });
  await desk.audit.checkpoint();
  const tamperings: [sql: string, finding: RegExp][] = [
    ["UPDATE audit_log SET subject = 'device/d9' WHERE seq = 3", /Entry 3 .*edited/],
    ["UPDATE audit_log SET actor_name = 'bob' WHERE seq = 4", /Entry 4 .*edited/],
    ["DELETE FROM audit_log WHERE seq = 5", /Entry 5 is missing/],
    ["DELETE FROM audit_log WHERE seq >= 9", /saw 10 entries, and the log ends with entry 8/],
    ["DELETE FROM audit_log WHERE seq = 1", /begins with entry 2/],
    [
      `UPDATE audit_log SET seq = -1 WHERE seq = 6; UPDATE audit_log SET seq = 6 WHERE seq = 7;
       UPDATE audit_log SET seq = 7 WHERE seq = -1`,
      /Entry 6 .*edited/,
    ],
  ];
  const file = join(desk.dir, "control.db");
  desk.stores.controlRaw.pragma("wal_checkpoint(TRUNCATE)");
  const whole = await readFile(file);
  for (const [sql, finding] of tamperings) {
    desk.intrude(sql);
    const { findings } = desk.verify();
    assert.match(findings[0]?.sentence ?? "nothing found", finding, sql);
    await desk.stores.close();
    for (const journal of ["-wal", "-shm"]) await rm(file + journal, { force: true });
    await writeFile(file, whole);
    await desk.open();
  }
  assert.deepEqual(desk.verify().findings, []);
});

test("a log that was put back is told at the next start, by itself and by the check", async (context) => {
  const desk = await Desk.open(context);
  for (let index = 0; index < 5; index += 1) await desk.audit.write(EVENT);
  await desk.close();
  desk.intrude("DELETE FROM audit_log WHERE seq > 3");
  await appendFile(join(desk.dir, "audit-checkpoints.jsonl"), '{"seq":1,"dig');
  await desk.open();
  assert.equal(desk.entries().at(-1)?.action, "audit.behind-checkpoint");
  assert.ok(desk.errors.some((error) => isMusterError(error, "audit.tampered")));
  await desk.audit.write(EVENT);
  const { findings } = desk.verify();
  assert.deepEqual(findings.map(({ kind }) => kind).sort(), ["rewritten", "told"]);
});

test("another key is told; a broken one starts nothing", async (context) => {
  const desk = await Desk.open(context);
  await desk.audit.write(EVENT);
  const before = desk.audit.publicKey;
  const file = join(desk.dir, "keys", "audit.key");
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  await desk.close();
  await rm(file);
  await desk.open();
  assert.notEqual(desk.audit.publicKey, before);
  assert.equal(desk.entries().at(-1)?.action, "audit.other-key");
  const verifier = new AuditVerifier([before, desk.audit.publicKey], desk.audit.checkpoints());
  for (const entry of desk.entries()) verifier.entry(entry);
  assert.deepEqual(verifier.finish().findings, []);
  await desk.close();
  await writeFile(file, "no key");
  desk.stores = await openStores(desk.dir);
  const parts = { stores: desk.stores, dataDir: desk.dir, clock: () => desk.now, onError: () => {} };
  await assert.rejects(AuditLog.open(parts), (error) => isMusterError(error, "trust.key-missing"));
  await rm(file);
  desk.audit = await AuditLog.open(parts);
});

test("retention lets old entries go behind a signed entry, and the rest is whole", async (context) => {
  const desk = await Desk.open(context);
  for (let index = 0; index < 20; index += 1) {
    desk.now += 1000;
    await desk.audit.write({ ...EVENT, subject: `device/d${index}` });
    if (index % 5 === 0) await desk.audit.checkpoint();
  }
  const middle = desk.entries()[12]?.at ?? 0;
  await desk.audit.cut(middle);
  const entries = desk.entries();
  assert.equal(entries[0]?.seq, 13);
  assert.equal(entries.at(-1)?.action, "audit.cut");
  assert.deepEqual(entries.at(-1)?.detail.through, 12);
  assert.deepEqual(desk.verify().findings, []);
  assert.ok(desk.audit.checkpoints().every(({ seq }) => seq > 12));
  await desk.audit.cut(middle);
  assert.equal(desk.entries().length, entries.length, "cutting again changes nothing");
  desk.now += 1000;
  await desk.audit.cut(desk.now + 1);
  assert.ok(desk.entries().length <= 2, "what is left says that it was cut");
  await desk.close();
  await desk.open();
  assert.deepEqual(desk.verify().findings, []);
});

test("pages and filters", async (context) => {
  const desk = await Desk.open(context);
  for (let index = 0; index < 30; index += 1) {
    desk.now += 1000;
    const actor = index % 3 === 0 ? ALICE : { kind: "system" as const, id: "x", name: "x" };
    const action = index % 2 === 0 ? "device.revoke" : "devices.count";
    await desk.audit.write({ actor, action, subject: `device/d${index}`, detail: {} });
  }
  const { audit } = desk;
  const seqs = (entries: AuditEntry[]) => entries.map(({ seq }) => seq);
  assert.deepEqual(seqs(audit.list({ limit: 3 })), [30, 29, 28]);
  assert.deepEqual(seqs(audit.list({ before: 28, limit: 2 })), [27, 26]);
  assert.deepEqual(seqs(audit.list({ after: 28, limit: 9 })), [29, 30]);
  assert.equal(audit.list({ actor: "alice", limit: 99 }).length, 10);
  assert.equal(audit.list({ actor: "o1", limit: 99 }).length, 10);
  assert.equal(audit.list({ action: "device", limit: 99 }).length, 15);
  assert.equal(audit.list({ action: "device.revoke", limit: 99 }).length, 15);
  assert.deepEqual(seqs(audit.list({ subject: "device/d7", limit: 9 })), [8]);
  assert.equal(audit.list({ subject: "device", limit: 99 }).length, 30);
  const { at } = audit.get(10);
  assert.deepEqual(seqs(audit.list({ from: at, to: at + 1, limit: 9 })), [10]);
  assert.throws(
    () => audit.get(31),
    (error) => isMusterError(error, "request.not-found"),
  );
});

test("a database that lacks what is to be on record is refused", async (context) => {
  const desk = await Desk.open(context);
  await desk.close();
  desk.stores = await openStores(desk.dir);
  desk.stores.controlRaw.exec("ALTER TABLE freezes RENAME COLUMN reason TO why");
  const parts = { stores: desk.stores, dataDir: desk.dir, clock: () => desk.now, onError: () => {} };
  await assert.rejects(AuditLog.open(parts), /lacks freezes\.reason/);
  desk.stores.controlRaw.exec("ALTER TABLE freezes RENAME COLUMN why TO reason");
  desk.audit = await AuditLog.open(parts);
});
