import assert from "node:assert/strict";
import { test } from "node:test";
import { noDevices } from "@muster/control-plane/rollouts/counts";
import { NO_EXPOSURES } from "@muster/control-plane/rollouts/exposure/exposures";
import type { GateInput } from "@muster/control-plane/rollouts/gate/input";
import { judgeGate } from "@muster/control-plane/rollouts/gate/judge";
import { completeGate } from "@muster/control-plane/rollouts/gate/plan";
import type { GateView } from "@muster/control-plane/rollouts/gate/views";
import type { DeviceCounts } from "@muster/control-plane/rollouts/views";
import fc from "fast-check";

const NOW = 1_000_000;

function counts(given: Partial<DeviceCounts>): DeviceCounts {
  const all = { ...noDevices(), ...given };
  const { total: _, ...rest } = all;
  return { ...all, total: Object.values(rest).reduce((sum, count) => sum + count, 0) };
}

function input(wave: Partial<DeviceCounts>, more: Partial<GateInput> = {}): GateInput {
  return {
    number: 2,
    wave: counts(wave),
    all: counts(wave),
    isLast: false,
    plan: completeGate({
      success: { minPercent: 90, minDevices: 3 },
      error: { maxPercent: 10, minDevices: 2 },
      soakSeconds: 60,
    }),
    timeoutSeconds: 600,
    members: [],
    evidence: { exposures: NO_EXPOSURES, wagers: null },
    openedAt: NOW - 100_000,
    heldSince: NOW - 60_000,
    now: NOW,
    ...more,
  };
}

const OVERDUE = { openedAt: NOW - 600_000 };
const FRESH = { heldSince: NOW - 59_000 };

const table: [string, GateInput, GateView["verdict"], GateView["waitingFor"]][] = [
  ["all succeeded and soaked", input({ succeeded: 5 }), "met", null],
  ["all succeeded, soaking", input({ succeeded: 5 }, FRESH), "inconclusive", "soak"],
  ["all succeeded just now", input({ succeeded: 5 }, { heldSince: null }), "inconclusive", "soak"],
  ["one still at work", input({ succeeded: 5, pending: 1 }), "inconclusive", "evidence"],
  ["one fell silent", input({ succeeded: 5, silent: 1 }), "inconclusive", "evidence"],
  ["one waits to be told again", input({ succeeded: 5, retrying: 1 }), "inconclusive", "evidence"],
  ["one not told yet", input({ succeeded: 5, waiting: 1 }), "inconclusive", "evidence"],
  ["at work past the deadline", input({ succeeded: 5, pending: 1 }, OVERDUE), "inconclusive", "evidence"],
  ["offline ones are left out", input({ succeeded: 3, offline: 7 }), "met", null],
  ["too few ends, others offline", input({ succeeded: 2, offline: 7 }), "inconclusive", "evidence"],
  ["too few ends, time is over", input({ succeeded: 2, offline: 7 }, OVERDUE), "inconclusive", null],
  ["everybody offline, time is over", input({ offline: 7 }, OVERDUE), "inconclusive", null],
  ["too few left after revocations", input({ succeeded: 2, released: 7 }), "inconclusive", null],
  [
    "the last wave with devices that do not take part",
    input({ succeeded: 2, held: 3, superseded: 1, skipped: 1 }, { isLast: true }),
    "met",
    null,
  ],
  ["offline ones were not told", input({ failed: 1, offline: 3 }), "violated", null],
  ["the last wave asks for no more than it has", input({ succeeded: 2 }, { isLast: true }), "met", null],
  ["the last wave with nobody heard", input({ offline: 2 }, { isLast: true }), "inconclusive", "evidence"],
  ["exactly the errors allowed", input({ succeeded: 9, failed: 1 }), "met", null],
  ["one error more", input({ succeeded: 8, failed: 1 }), "violated", null],
  ["errors go before success", input({ succeeded: 80, failed: 20 }), "violated", null],
  ["a failure before there is evidence", input({ failed: 1, pending: 4 }), "inconclusive", "evidence"],
  ["a failure where no more will come", input({ failed: 1 }), "violated", null],
  ["early failures", input({ failed: 2, pending: 40 }), "violated", null],
  [
    "late failures of earlier waves",
    input({ succeeded: 5 }, { all: counts({ succeeded: 8, failed: 1 }) }),
    "violated",
    null,
  ],
  [
    "complete without success is not passed on",
    input(
      { succeeded: 8, failed: 2 },
      { plan: { ...input({}).plan, error: { maxPercent: 50, minDevices: 1 } } },
    ),
    "inconclusive",
    null,
  ],
];

for (const [what, given, verdict, waitingFor] of table)
  test(`${what}: ${verdict}${waitingFor ? `, waits for ${waitingFor}` : ""}`, () => {
    const gate = judgeGate(given);
    assert.deepEqual([gate.verdict, gate.waitingFor], [verdict, waitingFor], gate.reason);
    assert.match(gate.reason, /^(Wave 2|The rollout)/);
  });

test("a gate is met only on enough settled evidence, and never with too many errors", () => {
  const some = fc.integer({ min: 0, max: 12 });
  const wave = fc.record({
    waiting: some,
    offline: some,
    pending: some,
    silent: some,
    retrying: some,
    succeeded: some,
    failed: some,
  });
  fc.assert(
    fc.property(
      wave,
      some,
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      (given, minPercent, minDevices, isLast) => {
        const plan = completeGate({
          success: { minPercent: minPercent * 8, minDevices },
          error: { maxPercent: 20, minDevices: 2 },
          soakSeconds: 0,
        });
        const gate = judgeGate(input(given, { plan, isLast }));
        const ended = given.succeeded + given.failed;
        if (gate.verdict !== "met") return;
        assert.equal(given.waiting + given.pending + given.silent + given.retrying, 0);
        assert.ok(ended >= Math.min(minDevices, isLast ? counts(given).total : minDevices));
        assert.ok(ended === 0 || given.succeeded / ended >= plan.success.minPercent / 100 - 1e-9);
        assert.ok(ended === 0 || given.failed / ended <= 0.2);
      },
    ),
    { numRuns: 2000 },
  );
});
