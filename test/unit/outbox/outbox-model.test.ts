import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type NewRecord, Outbox } from "@muster/agent/outbox/outbox";
import { openDatabase } from "@muster/agent/storage/database";
import { isMusterError } from "@muster/shared/errors";
import { type GapBody, OutboxRecord } from "@muster/shared/protocol/messages";
import { validate } from "@muster/shared/protocol/validate";
import fc from "fast-check";

const root = mkdtempSync(join(tmpdir(), "muster-outbox-"));
after(() => rmSync(root, { recursive: true }));

const LIMIT = 4000;
const digest = `sha256:${"a".repeat(64)}`;

const bodies = {
  result: (text: string) => ({
    id: text,
    model: "m",
    version: "1",
    variant: "v",
    digest,
    provider: "cpu",
    latencyUs: 5,
    ok: true,
    top: null,
  }),
  event: (text: string) => ({ code: "runner.crashed", message: text }),
  update: (text: string) => ({
    generation: 1,
    rollout: null,
    release: null,
    phase: "fetching",
    failure: { code: "x", message: text },
  }),
};

const record = (kind: keyof typeof bodies, size: number, at: number): NewRecord =>
  ({ kind, at, body: bodies[kind]("x".repeat(size)) }) as NewRecord;

const kinds = fc.constantFrom(...(Object.keys(bodies) as (keyof typeof bodies)[]));
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      kinds: fc.array(kinds, { minLength: 1, maxLength: 4 }),
      size: fc.integer({ min: 1, max: 120 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("read" as const), count: fc.integer({ min: 1, max: 20 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("ack" as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("roll-back" as const), kind: kinds }) },
);

/** What was ever stored, and what the reader on the other side has got. */
interface Model {
  stored: Map<number, string>;
  received: Map<number, string>;
  acked: number;
  lastSeq: number;
}

const decoded = ({ text }: { text: string }): OutboxRecord => JSON.parse(text) as OutboxRecord;

function everything(outbox: Outbox): OutboxRecord[] {
  return outbox.read(outbox.position().ackedSeq, 10_000, 1e9).map(decoded);
}

/** Every record that is neither received nor still there must be covered by a gap that is either. */
function assertNothingLost(outbox: Outbox, model: Model, present: readonly OutboxRecord[]): void {
  const here = new Set(present.map(({ seq }) => seq));
  const gaps = new Map<number, string>();
  for (const [seq, body] of model.received) if (model.stored.get(seq) === "gap") gaps.set(seq, body);
  for (const { seq, body } of present) {
    const text = JSON.stringify(body);
    assert.equal(model.received.get(seq) ?? text, text, "what was handed out has changed");
    if (model.stored.get(seq) === "gap") gaps.set(seq, text);
  }
  const told = [...gaps.values()].map((text) => JSON.parse(text) as GapBody);
  let missing = 0;
  for (const [seq, kind] of model.stored) {
    if (here.has(seq) || seq <= model.acked) continue;
    missing += 1;
    assert.ok(
      told.some((gap) => gap.kind === kind && gap.fromSeq <= seq && seq <= gap.toSeq),
      `record ${seq} (${kind}) is gone and no gap tells it`,
    );
    assert.notEqual(kind, "update");
    assert.notEqual(kind, "gap");
  }
  const sum = told.reduce((total, gap) => total + gap.records, 0);
  assert.ok(sum >= missing);
  assert.equal(sum, outbox.position().evicted);
}

describe("outbox against a model", () => {
  it("keeps seq monotone, loses nothing without telling, and stays within its limit", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 40 }), (actions) => {
        const path = join(root, `${randomUUID()}.db`);
        const open = () => {
          const db = openDatabase(path);
          return { db, outbox: new Outbox(db, { limitBytes: LIMIT, newId: () => randomUUID() }) };
        };
        let { db, outbox } = open();
        const model: Model = { stored: new Map(), received: new Map(), acked: 0, lastSeq: 0 };
        for (const [index, step] of actions.entries()) {
          if (step.do === "append") {
            try {
              const last = outbox.append(step.kinds.map((kind) => record(kind, step.size, index)));
              for (const [n, kind] of step.kinds.entries())
                model.stored.set(last - step.kinds.length + 1 + n, kind);
              assert.ok(last >= model.lastSeq + step.kinds.length);
            } catch (error) {
              assert.ok(isMusterError(error, "outbox.full"), String(error));
            }
          } else if (step.do === "read") {
            for (const found of outbox.read(model.acked, step.count, 1e9))
              model.received.set(found.seq, JSON.stringify(decoded(found).body));
          } else if (step.do === "ack") {
            const seqs = [...model.received.keys()].filter((seq) => seq > model.acked);
            const upTo = seqs.sort((a, b) => a - b)[Math.floor(step.part * (seqs.length - 1))];
            // The control plane acknowledges what it got without a hole.
            if (upTo !== undefined) {
              assert.equal(outbox.acknowledge(outbox.position().id, upTo), "trimmed");
              model.acked = upTo;
            }
          } else if (step.do === "reopen") {
            db.close();
            ({ db, outbox } = open());
          } else {
            const before = { rows: everything(outbox), position: outbox.position() };
            assert.throws(() =>
              db.transaction(() => {
                outbox.append([record(step.kind, 50, index)]);
                throw new Error("the caller changed its mind");
              })(),
            );
            assert.deepEqual({ rows: everything(outbox), position: outbox.position() }, before);
            for (const found of before.rows) model.received.set(found.seq, JSON.stringify(found.body));
          }
          const position = outbox.position();
          assert.ok(position.lastSeq >= model.lastSeq, "seq went back");
          model.lastSeq = position.lastSeq;
          assert.ok(position.bytes <= LIMIT + 400, `${position.bytes} bytes`);
          assert.equal(position.ackedSeq, model.acked);
        }
        const present = everything(outbox);
        for (const [i, found] of present.entries()) {
          assert.ok(found.seq > (present[i - 1]?.seq ?? model.acked) && found.seq <= model.lastSeq);
          validate(OutboxRecord, found, "request.invalid");
          if (found.kind === "gap") model.stored.set(found.seq, "gap");
        }
        for (const [seq, body] of model.received)
          if (!model.stored.has(seq) && body.includes('"fromSeq"')) model.stored.set(seq, "gap");
        assertNothingLost(outbox, model, present);
        const bytes = db.prepare("SELECT coalesce(sum(size), 0) AS sum FROM outbox_records").get() as {
          sum: number;
        };
        assert.equal(bytes.sum, outbox.position().bytes);
        db.close();
        rmSync(path, { force: true });
      }),
      { numRuns: 150 },
    );
  });
});
