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
    attested: null,
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
  ["withheld ones are left out", input({ succeeded: 3, withheld: 7 }), "met", null],
  ["too few ends, others withheld", input({ succeeded: 2, withheld: 7 }), "inconclusive", "evidence"],
  [
    "too few ends, others withheld, time is over",
    input({ succeeded: 2, withheld: 7 }, OVERDUE),
    "inconclusive",
    null,
  ],
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
  ["a failure before there is evidence", input({ failed: 1, pending: 9 }), "inconclusive", "evidence"],
  ["a failure too many, however the others end", input({ failed: 1, pending: 8 }), "violated", null],
  ["those not told yet may still succeed", input({ failed: 1, waiting: 9 }), "inconclusive", "evidence"],
  ["those offline may still succeed", input({ failed: 1, offline: 9 }), "inconclusive", "evidence"],
  ["until time is over", input({ failed: 1, offline: 9 }, OVERDUE), "violated", null],
  ["offline ones hold up no wave without errors", input({ succeeded: 3, offline: 97 }), "met", null],
  [
    "those that do not take part cannot succeed",
    input({ failed: 1, held: 5, released: 5, skipped: 5, superseded: 5 }),
    "violated",
    null,
  ],
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

test("one failure of ten passes the default plan, two stop it, whichever end first", () => {
  const plan = completeGate({ soakSeconds: 0, metrics: [] });
  for (const failures of [0, 1, 2])
    for (let place = 0; place <= 10 - failures; place += 1) {
      const fails = (index: number) => index >= place && index < place + failures;
      const verdicts = Array.from({ length: 10 }, (_, ended) => {
        const ends = Array.from({ length: ended + 1 }, (_, index) => fails(index));
        const failed = ends.filter(Boolean).length;
        const given = { failed, succeeded: ends.length - failed, pending: 10 - ends.length };
        return judgeGate(input(given, { plan })).verdict;
      });
      assert.equal(verdicts.includes("violated"), failures > 1, `${failures} from ${place}`);
      assert.equal(verdicts.at(-1), failures > 1 ? "violated" : "met");
    }
});

test("errors stop a wave early only when that is certain or enough devices have ended", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
      fc.func(fc.constantFrom("waiting", "pending", "silent", "retrying", "offline")),
      fc.constantFrom(0, 5, 10, 33.3, 50, 100),
      fc.integer({ min: 1, max: 15 }),
      fc.infiniteStream(fc.nat()),
      (failing, stateOf, maxPercent, minDevices, keys) => {
        const plan = completeGate({
          error: { maxPercent, minDevices },
          success: { minPercent: 0 },
          soakSeconds: 0,
        });
        const stopsAt = (ends: readonly boolean[]) => {
          for (let ended = 0; ended <= ends.length; ended += 1) {
            const given: Partial<DeviceCounts> = {};
            const add = (state: keyof DeviceCounts) => {
              given[state] = (given[state] ?? 0) + 1;
            };
            for (const [index, fails] of ends.entries())
              add(index >= ended ? stateOf(index) : fails ? "failed" : "succeeded");
            const { verdict } =
              judgeGate(input(given, { plan })).conditions.find(({ kind }) => kind === "error") ?? {};
            if (ended === ends.length) assert.notEqual(verdict, "inconclusive");
            if (verdict === "violated") return { ended, failed: given.failed ?? 0 };
          }
          return undefined;
        };
        const order = failing.map((fails) => ({ fails, key: keys.next().value ?? 0 }));
        const all = failing.filter(Boolean).length;
        const isTooMany = (100 * all) / failing.length > maxPercent;
        for (const ends of [failing, order.toSorted((a, b) => a.key - b.key).map(({ fails }) => fails)]) {
          const stop = stopsAt(ends);
          if (isTooMany) assert.ok(stop, "too many failures of all stop it in any order");
          if (!stop || stop.ended === ends.length) continue;
          const isCertain = (100 * stop.failed) / ends.length > maxPercent;
          assert.ok(isCertain || stop.ended >= minDevices, `stopped after ${stop.ended} of ${ends.length}`);
          if (ends.length <= minDevices) assert.ok(isTooMany, "a wave this small is judged whole");
        }
      },
    ),
  );
});

test("a count and its verb agree", () => {
  const reasonOf = (given: Partial<DeviceCounts>) => judgeGate(input(given)).reason;
  assert.match(reasonOf({ pending: 1 }), /0 of 1 device has a known end/);
  assert.match(reasonOf({ pending: 2 }), /0 of 2 devices have a known end/);
  assert.match(reasonOf({ pending: 1, succeeded: 1 }), /1 of 2 devices has a known end/);
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
