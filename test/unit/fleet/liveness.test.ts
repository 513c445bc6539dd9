import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Liveness, type LivenessFacts, livenessOf } from "@muster/control-plane/fleet/liveness";
import fc from "fast-check";

const rules = { heartbeatIntervalMs: 30_000, willGraceMs: 5_000 };
const now = 1_000_000_000;
const listening = { startedAt: now - 86_400_000, aliveUntil: now - 86_400_000 };
const seconds = (count: number) => now - count * 1000;

describe("liveness", () => {
  const table: [name: string, facts: Partial<LivenessFacts>, expected: Liveness][] = [
    ["never heard", { lastSeenAt: null }, "offline"],
    ["heard now", { lastSeenAt: now }, "online"],
    ["2.5 intervals ago", { lastSeenAt: seconds(75) }, "online"],
    ["a moment more", { lastSeenAt: seconds(75.001) }, "late"],
    ["5 intervals ago", { lastSeenAt: seconds(150) }, "late"],
    ["more than that", { lastSeenAt: seconds(150.001) }, "offline"],
    ["will just came", { lastSeenAt: seconds(6), goneAt: seconds(4.999) }, "online"],
    ["will stands", { lastSeenAt: seconds(6), goneAt: seconds(5) }, "offline"],
    ["5 transitions", { lastSeenAt: now, transitions: [5, 4, 3, 2, 1].map(seconds) }, "online"],
    ["6 transitions", { lastSeenAt: now, transitions: [6, 5, 4, 3, 2, 1].map(seconds) }, "flapping"],
    ["6 of which one is old", { lastSeenAt: now, transitions: [601, 5, 4, 3, 2, 1].map(seconds) }, "online"],
    ["the clock went back", { lastSeenAt: now + 5000 }, "online"],
  ];
  for (const [name, facts, expected] of table)
    it(`${name}: ${expected}`, () => {
      const all = { lastSeenAt: null, goneAt: null, transitions: [], ...facts };
      assert.equal(livenessOf(all, now, listening, rules), expected);
    });

  const restarts: [string, sinceStart: number, downtime: number, silenceBefore: number, Liveness][] = [
    ["heard just before, back after an hour", 1, 3600, 10, "online"],
    ["silent for a while already", 30, 3600, 140, "late"],
    ["silence before and after adds up", 61, 3600, 140, "offline"],
    ["two intervals without a word", 70, 3600, 10, "late"],
    ["nothing for five intervals", 145, 3600, 10, "offline"],
    ["was offline before", 1, 3600, 1000, "offline"],
    ["no downtime at all", 10, 0, 10, "online"],
  ];
  for (const [name, sinceStart, downtime, silenceBefore, expected] of restarts)
    it(`after a restart, ${name}: ${expected}`, () => {
      const startedAt = seconds(sinceStart);
      const aliveUntil = startedAt - downtime * 1000;
      const facts = { lastSeenAt: aliveUntil - silenceBefore * 1000, goneAt: null, transitions: [] };
      assert.equal(livenessOf(facts, now, { startedAt, aliveUntil }, rules), expected);
    });

  it("only gets worse with silence", () => {
    const order: Liveness[] = ["online", "late", "offline"];
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.integer({ min: 0, max: 1_000_000 }),
        (silenceBefore, downtime, later, more) => {
          const startedAt = now;
          const aliveUntil = startedAt - downtime;
          const facts = { lastSeenAt: aliveUntil - silenceBefore, goneAt: null, transitions: [] };
          const at = (moment: number) =>
            order.indexOf(livenessOf(facts, moment, { startedAt, aliveUntil }, rules));
          assert.ok(at(now + later) <= at(now + later + more));
        },
      ),
    );
  });

  it("calls nothing offline by silence within two intervals of a restart, unless it was before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 150_000 }),
        fc.integer({ min: 0, max: 10_000_000 }),
        fc.integer({ min: 0, max: 59_999 }),
        (silenceBefore, downtime, later) => {
          const aliveUntil = now - downtime;
          const facts = { lastSeenAt: aliveUntil - silenceBefore, goneAt: null, transitions: [] };
          assert.notEqual(livenessOf(facts, now + later, { startedAt: now, aliveUntil }, rules), "offline");
        },
      ),
    );
  });
});
