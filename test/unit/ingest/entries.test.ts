import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BatchEntry, withoutRepeats } from "@muster/control-plane/ingest/entries";
import { RateWindow } from "@muster/control-plane/ingest/rate-window";
import fc from "fast-check";
import { batch, result } from "../../support/fleet/messages.ts";

const entry = (device: string, seqs: number[], outbox: string): BatchEntry => ({
  kind: "batch",
  device,
  batch: batch("session-1", seqs.map(result), outbox),
  receivedAt: 0,
});

describe("repeated records", () => {
  it("are told from fresh ones by the position of their outbox", () => {
    const fresh = withoutRepeats(
      [
        entry("d1", [5, 6, 7], "outbox-a"),
        entry("d1", [6, 7, 9], "outbox-a"),
        entry("d1", [1, 2], "outbox-b"),
        entry("d1", [1, 2], "outbox-a"),
      ],
      (_device, outbox) => (outbox === "outbox-a" ? 5 : 0),
    );
    assert.deepEqual(
      fresh.map(({ outbox, records, upTo }) => [outbox, records.map(({ seq }) => seq), upTo]),
      [
        ["outbox-a", [6, 7], 7],
        ["outbox-a", [9], 9],
        ["outbox-b", [1, 2], 2],
        ["outbox-a", [], 9],
      ],
    );
  });

  it("never make a record stored twice, and positions never go back", () => {
    const seqs = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(fc.array(seqs, { maxLength: 20 }), fc.integer({ min: 0, max: 20 }), (batches, position) => {
        const entries = batches.map((each) =>
          entry(
            "d1",
            [...each].sort((a, b) => a - b),
            "outbox-a",
          ),
        );
        const fresh = withoutRepeats(entries, () => position);
        const stored = fresh.flatMap(({ records }) => records.map(({ seq }) => seq));
        assert.equal(new Set(stored).size, stored.length);
        assert.ok(stored.every((seq) => seq > position));
        assert.deepEqual(
          stored,
          [...stored].sort((a, b) => a - b),
        );
        let last = position;
        for (const { upTo } of fresh) {
          assert.ok(upTo >= last);
          last = upTo;
        }
        assert.equal(last, Math.max(position, ...batches.flat()));
      }),
    );
  });
});

it("a rate window lets a number of things a minute pass for each key", () => {
  const window = new RateWindow(2);
  const at = (key: string, now: number) => window.passes(key, now);
  assert.deepEqual(
    [at("a", 0), at("a", 1), at("a", 2), at("b", 3), at("a", 60_000)],
    [true, true, false, true, true],
  );
});
