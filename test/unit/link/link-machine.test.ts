import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fullJitter } from "@muster/agent/backoff";
import { type LinkEvent, type LinkState, stepLink } from "@muster/agent/link/link-machine";
import fc from "fast-check";

const rule = { minMs: 1000, maxMs: 300_000, startDelayMs: 30_000 };

const table: readonly [LinkState, LinkEvent, LinkState, string[]][] = [
  [{ name: "idle" }, "start", { name: "waiting", failures: 0, delayMs: 15_000 }, ["wait"]],
  [{ name: "idle" }, "due", { name: "idle" }, []],
  [{ name: "idle" }, "lost", { name: "idle" }, []],
  [{ name: "waiting", failures: 3, delayMs: 9 }, "due", { name: "connecting", failures: 3 }, ["connect"]],
  [{ name: "waiting", failures: 3, delayMs: 9 }, "lost", { name: "waiting", failures: 3, delayMs: 9 }, []],
  [{ name: "waiting", failures: 3, delayMs: 9 }, "start", { name: "waiting", failures: 3, delayMs: 9 }, []],
  [{ name: "connecting", failures: 2 }, "connected", { name: "online", failures: 2 }, ["await-stable"]],
  [{ name: "connecting", failures: 2 }, "lost", { name: "waiting", failures: 3, delayMs: 2000 }, ["wait"]],
  [{ name: "connecting", failures: 2 }, "due", { name: "connecting", failures: 2 }, []],
  [{ name: "online", failures: 4 }, "stable", { name: "online", failures: 0 }, []],
  [{ name: "online", failures: 0 }, "lost", { name: "waiting", failures: 1, delayMs: 500 }, ["wait"]],
  [{ name: "online", failures: 4 }, "lost", { name: "waiting", failures: 5, delayMs: 8000 }, ["wait"]],
  [{ name: "online", failures: 4 }, "connected", { name: "online", failures: 4 }, []],
  [{ name: "online", failures: 4 }, "stop", { name: "stopped" }, ["close"]],
  [{ name: "connecting", failures: 0 }, "stop", { name: "stopped" }, ["close"]],
  [{ name: "stopped" }, "stop", { name: "stopped" }, []],
  [{ name: "stopped" }, "due", { name: "stopped" }, []],
  [{ name: "stopped" }, "lost", { name: "stopped" }, []],
  [{ name: "stopped" }, "start", { name: "stopped" }, []],
];

describe("link machine", () => {
  for (const [state, event, next, effects] of table)
    it(`${JSON.stringify(state)} on ${event}`, () => {
      const step = stepLink(state, event, rule, 0.5);
      assert.deepEqual(step.state, next);
      assert.deepEqual(
        step.effects.map((effect) => effect.do),
        effects,
      );
    });

  it("never waits longer than the limit, and never less than nothing", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, random) => {
          const delay = fullJitter(rule, n, random);
          assert.ok(delay >= 0 && delay <= Math.min(rule.maxMs, rule.minMs * 2 ** (n - 1)));
        },
      ),
    );
  });

  it("always has a way on: from any history a stop stops, and without it a timer or a connection is pending", () => {
    const events: LinkEvent[] = ["start", "due", "connected", "lost", "stable"];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...events)),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (history, random) => {
          let state: LinkState = { name: "idle" };
          let pending = "start";
          for (const event of history) {
            const step = stepLink(state, event, rule, random);
            state = step.state;
            for (const effect of step.effects) pending = effect.do;
          }
          const expected = { idle: "start", waiting: "wait", connecting: "connect", online: "await-stable" };
          assert.equal(pending, expected[state.name as keyof typeof expected]);
          assert.equal(stepLink(state, "stop", rule, random).state.name, "stopped");
        },
      ),
    );
  });
});
