import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOf, seal, signCheckpoint } from "@muster/control-plane/audit/chain";
import type { AuditEntry, Checkpoint } from "@muster/control-plane/audit/entry";
import { type AuditFinding, type AuditReport, AuditVerifier } from "@muster/control-plane/audit/verify";
import { signingKeyFrom } from "@muster/shared/trust/ed25519";
import fc from "fast-check";

const key = signingKeyFrom(Buffer.alloc(32, 1));
const stranger = signingKeyFrom(Buffer.alloc(32, 2));
const AT = Date.UTC(2026, 10, 1);

function logOf(entries: number): AuditEntry[] {
  const log: AuditEntry[] = [];
  for (let index = 0; index < entries; index += 1)
    log.push(
      seal(
        key,
        log.at(-1) ?? null,
        {
          actor: { kind: "operator", id: "o1", name: "alice" },
          action: "device.revoke",
          subject: `device/d${index}`,
          detail: { reason: `stolen ${index}`, numbers: { weight: index / 3 } },
        },
        AT + index,
      ),
    );
  return log;
}

const checkpointAt = (log: readonly AuditEntry[], seq: number, by = key): Checkpoint =>
  signCheckpoint(by, log[seq - 1] as AuditEntry, AT + seq);

function verified(
  log: readonly AuditEntry[],
  { checkpoints = [], since = 0 }: { checkpoints?: Checkpoint[]; since?: number } = {},
): AuditReport {
  const verifier = new AuditVerifier([key.publicKey], checkpoints, since);
  for (const entry of log) verifier.entry(entry);
  return verifier.finish();
}

const kinds = ({ findings }: AuditReport): AuditFinding["kind"][] => findings.map(({ kind }) => kind);
const first = ({ findings }: AuditReport): string => `${findings[0]?.kind} ${findings[0]?.seq}`;

/** As one would who holds the database and no key: the digest made anew, the signature left. */
const forged = (entry: AuditEntry, change: Partial<AuditEntry>): AuditEntry => {
  const next = { ...entry, ...change };
  return { ...next, digest: digestOf(next) };
};

describe("the check of an audit log", () => {
  it("finds nothing in a log as it was written, whatever is in it", () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 20 }), (details) => {
        const log: AuditEntry[] = [];
        for (const detail of details) {
          const actor = { kind: "system", id: "x", name: "x" } as const;
          log.push(seal(key, log.at(-1) ?? null, { actor, action: "a.b", subject: "c/d", detail }, AT));
        }
        // As it comes back from the database and from a file.
        const read = JSON.parse(JSON.stringify(log)) as AuditEntry[];
        const checkpoints = log.length > 0 ? [checkpointAt(log, log.length)] : [];
        const report = verified(read, { checkpoints });
        assert.deepEqual([report.findings, report.entries], [[], details.length]);
      }),
    );
  });

  it("keeps of what is too large only its digest, and carries text that is none", () => {
    const event = (detail: Record<string, unknown>) => ({
      actor: { kind: "operator", id: "o", name: "\ud800 half" } as const,
      action: "a.b",
      subject: "c/d",
      detail,
    });
    const large = seal(key, null, event({ text: "x".repeat(20_000) }), AT);
    assert.deepEqual(Object.keys(large.detail), ["leftOut"]);
    const odd = seal(key, large, event({ text: "a\udc00b" }), AT);
    assert.deepEqual(odd.detail, { text: "a\ufffdb" });
    assert.deepEqual(verified([large, odd]).findings, []);
  });

  it("finds every edit of every member", () => {
    const log = logOf(5);
    const changes: Partial<AuditEntry>[] = [
      { at: AT + 1000 },
      { actor: { kind: "operator", id: "o1", name: "bob" } },
      { actor: { kind: "operator", id: "o2", name: "alice" } },
      { action: "device.release" },
      { subject: "device/d9" },
      { detail: { reason: "lost" } },
      { previous: `sha256:${"0".repeat(64)}` },
    ];
    for (const change of changes) {
      const edited = log.map((entry, index) => (index === 2 ? { ...entry, ...change } : entry));
      assert.equal(first(verified(edited)), "edited 3", JSON.stringify(change));
      const remade = log.map((entry, index) => (index === 2 ? forged(entry, change) : entry));
      assert.equal(first(verified(remade)), "unsigned 3", JSON.stringify(change));
    }
    const signature = (log[3] as AuditEntry).signature;
    const borrowed = log.map((entry, index) => (index === 2 ? { ...entry, signature } : entry));
    assert.equal(first(verified(borrowed)), "unsigned 3");
  });

  it("finds deletion, reorder, insertion and repetition anywhere", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 1, max: 8 }), (place, span) => {
        const log = logOf(10);
        const without = log.filter((_, index) => index < place || index >= place + span);
        const deleted = verified(without, { checkpoints: [checkpointAt(log, 10)] });
        assert.ok(kinds(deleted).some((kind) => ["missing", "truncated"].includes(kind)));

        const other = Math.min(9, place + span);
        const swapped = [...log];
        [swapped[place], swapped[other]] = [log[other] as AuditEntry, log[place] as AuditEntry];
        assert.ok(kinds(verified(swapped)).includes("out-of-order"));

        const copied = [...log.slice(0, place + 1), log[place] as AuditEntry, ...log.slice(place + 1)];
        assert.ok(kinds(verified(copied)).includes("out-of-order"));
      }),
    );
    const log = logOf(6);
    const made = seal(stranger, log[2] as AuditEntry, { ...(log[3] as AuditEntry), subject: "device/x" }, AT);
    assert.deepEqual(kinds(verified([...log.slice(0, 3), made, ...log.slice(4)])), [
      "unsigned",
      "broken-chain",
    ]);
  });

  it("finds by a checkpoint what was cut off behind it, or written anew", () => {
    const log = logOf(8);
    const checkpoints = [checkpointAt(log, 4), checkpointAt(log, 8)];
    assert.deepEqual(kinds(verified(log, { checkpoints })), []);
    assert.equal(verified(log, { checkpoints }).checkpoints, 2);
    assert.equal(first(verified(log.slice(0, 6), { checkpoints })), "truncated 6");
    assert.deepEqual(kinds(verified(log.slice(0, 6))), [], "no checkpoint, no proof");
    // Whoever holds the key too writes a chain that is whole in itself: only what was kept elsewhere tells.
    const anew = [...log.slice(0, 5)];
    while (anew.length < 9) {
      const actor = { kind: "operator", id: "o1", name: "alice" } as const;
      anew.push(seal(key, anew.at(-1) ?? null, { actor, action: "a.b", subject: "c/d", detail: {} }, AT));
    }
    assert.deepEqual(kinds(verified(anew)), []);
    assert.equal(first(verified(anew, { checkpoints })), "rewritten 8");
    assert.deepEqual(kinds(verified(log, { checkpoints: [checkpointAt(log, 8, stranger)] })), ["unsigned"]);
  });

  it("takes a log that begins later only with a signed entry that says so", () => {
    const log = logOf(6);
    const cut = seal(
      key,
      log[5] as AuditEntry,
      {
        actor: { kind: "system", id: "control-plane", name: "control plane" },
        action: "audit.cut",
        subject: "audit/log",
        detail: { through: 3, digest: (log[2] as AuditEntry).digest },
      },
      AT,
    );
    assert.deepEqual(kinds(verified([...log.slice(3), cut])), []);
    assert.deepEqual(kinds(verified([...log.slice(4), cut])), ["missing"]);
    assert.deepEqual(kinds(verified(log.slice(3))), ["missing"]);
    assert.deepEqual(kinds(verified(log.slice(3), { since: 4 })), []);
    const operator = seal(
      key,
      log[5] as AuditEntry,
      { ...cut, actor: { kind: "operator", id: "o", name: "o" } },
      AT,
    );
    assert.deepEqual(kinds(verified([...log.slice(3), operator])), ["missing"], "no operator may cut");
  });

  it("lists a hundred findings and counts the others", () => {
    const report = verified(logOf(150).map((entry) => ({ ...entry, at: 0 })));
    assert.deepEqual([report.findings.length, report.more], [100, 50]);
  });
});
