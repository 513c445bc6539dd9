import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ackDeadline,
  afterAck,
  afterSend,
  afterTime,
  type DrainWindow,
  nextAfter,
  openWindow,
} from "@muster/agent/link/drain-window";
import fc from "fast-check";

const rule = { batchesInFlight: 4, ackTimeoutMs: 10_000 };

describe("drain window", () => {
  it("sends up to its size and goes on behind what is on its way", () => {
    let window = openWindow(10);
    assert.equal(nextAfter(window, rule), 10);
    for (const upTo of [20, 30, 40, 50]) window = afterSend(window, upTo, 0);
    assert.equal(nextAfter(window, rule), undefined);
    window = afterAck(window, 30, 5);
    assert.equal(nextAfter(window, rule), 50);
    assert.equal(window.inFlight.length, 2);
  });

  it("begins again from the acknowledged position when none comes, more and more patiently", () => {
    let window = afterSend(afterAck(afterSend(openWindow(0), 5, 0), 5, 0), 9, 0);
    assert.equal(afterTime(window, 9999, rule), window);
    window = afterTime(window, 10_000, rule);
    assert.equal(nextAfter(window, rule), 5);
    assert.equal(window.stalls, 1);
    assert.equal(ackDeadline(afterSend(window, 9, 10_000), rule), 30_000);
    for (let stall = 0; stall < 10; stall += 1) window = afterTime(afterSend(window, 9, 0), 1e9, rule);
    assert.equal(ackDeadline(afterSend(window, 9, 0), rule), 80_000);
    assert.equal(afterAck(afterSend(window, 9, 0), 9, 1).stalls, 0);
  });

  it("takes late, repeated and far-reaching acknowledgements", () => {
    const window = afterSend(afterSend(openWindow(0), 5, 0), 9, 0);
    assert.equal(afterAck(window, 0, 1), window);
    assert.deepEqual(afterAck(window, 9, 1), { acked: 9, inFlight: [], stalls: 0 });
    assert.deepEqual(afterAck(window, 7, 1).inFlight, [{ upTo: 9, sentAt: 1 }]);
  });

  it("never skips a record: what comes next is the acknowledged position or the end of what is on its way", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("send" as const), by: fc.integer({ min: 1, max: 500 }) }),
      fc.record({ do: fc.constant("ack" as const), by: fc.integer({ min: 0, max: 3000 }) }),
      fc.record({ do: fc.constant("time" as const), by: fc.integer({ min: 0, max: 100_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let window: DrainWindow = openWindow(0);
        let now = 0;
        let sentUpTo = 0;
        for (const { do: what, by } of steps) {
          const after = nextAfter(window, rule);
          if (what === "send" && after !== undefined) {
            assert.ok(after <= sentUpTo);
            window = afterSend(window, after + by, now);
            sentUpTo = Math.max(sentUpTo, after + by);
          } else if (what === "ack") window = afterAck(window, Math.min(sentUpTo, by), now);
          else if (what === "time") {
            now += by;
            window = afterTime(window, now, rule);
          }
          assert.ok(window.inFlight.length <= rule.batchesInFlight);
          let previous = window.acked;
          for (const { upTo } of window.inFlight) {
            assert.ok(upTo > previous);
            previous = upTo;
          }
        }
      }),
    );
  });
});
