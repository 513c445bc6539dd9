import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, openBudget, refill, settle } from "@muster/agent/shadow/budget";
import fc from "fast-check";

test("a quarter of a core fills 250 microseconds a millisecond, and saves up one second of it", () => {
  const open = openBudget(25, 0);
  assert.equal(open.tokensUs, 250_000);
  const empty = settle(open, 0, 250_000);
  assert.equal(begin(empty, 0), undefined);
  assert.equal(refill(empty, 4).tokensUs, 1_000);
  assert.equal(refill(empty, 60_000).tokensUs, 250_000);
});

test("what is on its way is set aside at its usual cost and settled at its true one", () => {
  const known = settle(openBudget(10, 0), 0, 2_000);
  const begun = begin(known, 0);
  assert.equal(begun?.tokensUs, 96_000);
  assert.equal(settle(begun!, begun!.costUs, 5_000).tokensUs, 93_000);
});

test("over time no more is used than the share, plus what was saved and what is on its way", () => {
  const work = fc.array(fc.record({ gapMs: fc.nat(50), costUs: fc.integer({ min: 1, max: 50_000 }) }), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), work, (percent, requests) => {
      let budget = openBudget(percent, 0);
      let now = 0;
      let used = 0;
      for (const { gapMs, costUs } of requests) {
        now += gapMs;
        const begun = begin(budget, now);
        if (!begun) continue;
        budget = settle(begun, begun.costUs, costUs);
        used += costUs;
      }
      assert.ok(used <= percent * 10 * (now + 1000) + 50_000 + 1e-6);
    }),
  );
});

test("a clock that stands still or goes back fills nothing", () => {
  const empty = settle(openBudget(50, 1_000), 0, 500_000);
  assert.equal(refill(empty, 500).tokensUs, 0);
  assert.equal(refill(refill(empty, 500), 1_000).tokensUs, 0);
});
