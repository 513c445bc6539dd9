import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BestEffortGate } from "@muster/agent/runner/schedule/best-effort";
import fc from "fast-check";

const gate = (perSecond: number | null, deferredUntil: number | null = null): BestEffortGate => {
  const made = new BestEffortGate();
  made.set({ perSecond, deferredUntil }, 0);
  return made;
};

describe("best effort", () => {
  test("is not bound by default", () => assert.equal(new BestEffortGate().admit(100, 0, 0), "pass"));

  test("waits until the window opens", () => {
    const deferred = gate(null, 10_000);
    assert.deepEqual(deferred.admit(1, 0, 7_500), { afterSeconds: 3 });
    assert.equal(deferred.admit(1, 0, 10_000), "pass");
  });

  test("is refused where none is computed", () =>
    assert.deepEqual(gate(0).admit(1, 0, 0), { afterSeconds: 60 }));

  test("keeps a slow rate", () => {
    const slow = gate(0.1);
    assert.equal(slow.admit(1, 0, 0), "pass");
    assert.deepEqual(slow.admit(1, 2_000, 0), { afterSeconds: 8 });
    assert.equal(slow.admit(1, 10_000, 0), "pass");
  });

  test("a large request is paid off by those after it", () => {
    const two = gate(2);
    assert.equal(two.admit(8, 0, 0), "pass");
    assert.deepEqual(two.admit(1, 0, 0), { afterSeconds: 4 });
    assert.equal(two.admit(1, 3_500, 0), "pass");
  });

  test("is free again when nothing binds any more", () => {
    const freed = gate(0);
    freed.set({ perSecond: null, deferredUntil: null }, 5);
    for (let count = 0; count < 50; count++) assert.equal(freed.admit(1, 5, 0), "pass");
  });
});

test("property: never more rows than the rate and one second's worth", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.5, max: 50, noNaN: true }),
      fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 300 }),
      (perSecond, gaps) => {
        const limited = gate(perSecond);
        let now = 0;
        let passed = 0;
        for (const gap of gaps) {
          now += gap;
          if (limited.admit(1, now, 0) === "pass") passed += 1;
        }
        assert.ok(passed <= Math.max(1, perSecond) + (now / 1000) * perSecond + 1e-6);
      },
    ),
  );
});
