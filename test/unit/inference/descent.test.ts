import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  afterFailure,
  type Descent,
  type DescentRules,
  isWalking,
  onTrial,
  retryAt,
  TOP,
  trialFailed,
} from "@muster/agent/inference/ladder/descent";
import fc from "fast-check";

const RULES: DescentRules = {
  budget: 3,
  windowMs: 600_000,
  retryMinMs: 600_000,
  retryMaxMs: 4_000_000,
  hopelessMinMs: 2_000,
  hopelessMaxMs: 300_000,
};

/** Three choices; failures at these times. */
const afterAll = (times: number[], from: Descent = TOP): Descent =>
  times.reduce((descent, at) => afterFailure(descent, 3, RULES, at), from);

describe("when a group goes down", () => {
  const cases: [string, number[], number][] = [
    ["nothing has failed", [], 0],
    ["two crashes are within the budget", [0, 1], 0],
    ["the third crash within the window spends it", [0, 1, 599_999], 1],
    ["a crash that is as old as the window does not count", [0, 1, 600_000], 0],
    ["spread over the window it is spent by the last three", [0, 400_000, 700_000, 900_000], 1],
    ["each choice has a budget of its own", [0, 1, 2, 3, 4], 1],
    ["down to the last choice", [0, 1, 2, 3, 4, 5], 2],
    ["and below it there is nothing", [0, 1, 2, 3, 4, 5, 6, 7, 8], 3],
    ["where it stays", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], 3],
  ];
  for (const [name, times, position] of cases)
    test(name, () => assert.equal(afterAll(times).position, position));
});

describe("when the first choice is tried again", () => {
  const fallen = afterAll([0, 1, 2]);
  const hopeless = afterAll([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const again = (descent: Descent, tries: number): Descent =>
    Array.from({ length: tries }).reduce<Descent>((each) => trialFailed(each, 10), descent);

  const cases: [string, Descent, number | undefined][] = [
    ["never while it is served", TOP, undefined],
    ["some time after the last failure", fallen, 600_002],
    ["twice as long after a try that failed", again(fallen, 1), 1_200_010],
    ["but never longer than the longest time", again(fallen, 60), 4_000_010],
    ["soon where nothing is left", hopeless, 2_008],
    ["and there with waits of its own", again(hopeless, 60), 300_010],
  ];
  for (const [name, descent, at] of cases) test(name, () => assert.equal(retryAt(descent, 3, RULES), at));

  test("one failure on trial leads straight back, and makes the next wait longer", () => {
    const back = afterFailure(onTrial(fallen, 700_000), 3, RULES, 700_001);
    assert.equal(back.position, 1);
    assert.equal(retryAt(back, 3, RULES), 700_001 + 1_200_000);
  });

  test("a trial that lasts for the window is passed: the budget is whole again", () => {
    const passed = afterFailure(onTrial(fallen, 700_000), 3, RULES, 700_000 + RULES.windowMs);
    assert.deepEqual([passed.position, passed.failures.length, passed.returns], [0, 1, 0]);
  });
});

describe("when nothing is left", () => {
  const hopeless = afterAll([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const walk = (failures: number[]): Descent =>
    failures.reduce((descent, at) => afterFailure(descent, 3, RULES, at), onTrial(hopeless, 100));

  const cases: [string, number[], number, boolean][] = [
    ["the first choice is tried", [], 0, true],
    ["one failure leads on to the next", [101], 1, true],
    ["and one more to the last", [101, 102], 2, true],
    ["and then nothing is left again", [101, 102, 103], 3, false],
    ["one that held for the window has its whole budget", [101, 101 + 600_000, 101 + 600_001], 1, false],
  ];
  for (const [name, failures, position, walking] of cases)
    test(name, () => {
      const found = walk(failures);
      assert.deepEqual([found.position, isWalking(found, 3)], [position, walking]);
    });

  test("the next walk has to wait for longer", () =>
    assert.equal(retryAt(walk([101, 102, 103]), 3, RULES), 103 + 4_000));
});

type Event = { kind: "fails" | "retries" | "retry-fails"; afterMs: number };

const events = fc.array(
  fc.record<Event>({
    kind: fc.constantFrom("fails", "retries", "retry-fails"),
    afterMs: fc.integer({ min: 0, max: 2_000_000 }),
  }),
  { maxLength: 60 },
);

test("whatever happens, a group stays on its ladder, moves by one step or back, and always has a way up", () => {
  fc.assert(
    fc.property(
      events,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 4 }),
      (list, choices, budget) => {
        const rules = { ...RULES, budget };
        let descent = TOP;
        let at = 0;
        let lowest = 0;
        for (const { kind, afterMs } of list) {
          at += afterMs;
          const before = descent;
          const due = retryAt(before, choices, rules);
          if (kind === "fails") descent = afterFailure(before, choices, rules, at);
          else if (due === undefined) continue;
          else descent = kind === "retries" ? onTrial(before, at) : trialFailed(before, at);
          const { position } = descent;
          assert.ok(position >= 0 && position <= choices);
          if (kind === "fails" && position !== before.position)
            assert.ok(position === before.position + 1 || position === before.trialFrom);
          assert.ok(descent.failures.length < budget || budget === 1);
          lowest = Math.max(lowest, position);
          assert.ok(descent.trialFrom <= lowest);
          const next = retryAt(descent, choices, rules);
          assert.equal(next === undefined, position === 0);
          if (next !== undefined) assert.ok(next > at && next <= at + rules.retryMaxMs);
        }
      },
    ),
  );
});

test("fewer failures than the budget in every window never lead down", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 200 }), (budget, count) => {
      const rules = { ...RULES, budget };
      const gap = Math.ceil(rules.windowMs / (budget - 1));
      let descent = TOP;
      for (let index = 0; index < count; index++) descent = afterFailure(descent, 3, rules, index * gap);
      assert.equal(descent.position, 0);
    }),
  );
});
