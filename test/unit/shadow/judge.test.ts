import assert from "node:assert/strict";
import { test } from "node:test";
import { type Compared, judgeShadow, type Looks } from "@muster/agent/shadow/judge";
import type { ShadowRule } from "@muster/shared/protocol/shadow-rule";
import fc from "fast-check";
import { seededRandom } from "../../models/training/random.ts";

const rule: ShadowRule = {
  seconds: 60,
  samplePercent: 10,
  cpuPercent: 25,
  minCompared: 100,
  minAgreementPercent: 95,
};
const eyes = (compared: number, agreed: number): Compared => ({ model: "eyes", compared, agreed });
const ears = (compared: number, agreed: number): Compared => ({ model: "ears", compared, agreed });

const cases: [what: string, models: Compared[], seconds: number, verdict: string][] = [
  ["nothing yet", [eyes(0, 0)], 1, "wait"],
  ["enough before its time", [eyes(500, 500)], 59, "wait"],
  ["enough at its time", [eyes(500, 500)], 60, "agreed"],
  ["just the least share", [eyes(100, 95)], 60, "agreed"],
  ["just below the least share", [eyes(1000, 949)], 60, "disagreed"],
  ["a little below before its time: not certain", [eyes(100, 93)], 10, "wait"],
  ["far below before its time", [eyes(100, 50)], 10, "disagreed"],
  ["too few to tell, whatever they say", [eyes(99, 0)], 10, "wait"],
  ["too few at its time: it has as much again", [eyes(99, 99)], 60, "wait"],
  ["too few at the very end", [eyes(99, 0)], 120, "inconclusive"],
  ["nothing at the very end", [eyes(0, 0)], 120, "inconclusive"],
  ["no model in common", [], 60, "inconclusive"],
  ["one of two models without traffic", [eyes(500, 500), ears(0, 0)], 60, "wait"],
  ["the other decides in the end", [eyes(500, 500), ears(0, 0)], 120, "agreed"],
  ["the other decides against it in the end", [eyes(500, 470), ears(0, 0)], 120, "disagreed"],
  [
    "one model that disagrees is not hidden by another",
    [eyes(100_000, 100_000), ears(200, 180)],
    60,
    "disagreed",
  ],
];
for (const [what, models, seconds, verdict] of cases)
  test(`${what}: ${verdict}`, () => {
    assert.equal(judgeShadow(rule, models, seconds * 1000).verdict, verdict);
  });

test("the reason has the numbers, and what was not compared often enough", () => {
  const judged = judgeShadow(rule, [eyes(400, 390), ears(3, 3)], 120_000);
  assert.ok(judged.verdict === "agreed");
  assert.equal(
    judged.reason,
    "Both releases agreed on 390 of 400 inferences of model eyes (97.5 %); 95 % are asked for. Of model ears 3 inferences were compared within 120 s; 100 are asked for.",
  );
});

test("a candidate that agrees as often as is asked for is hardly ever stopped before its time", () => {
  const random = seededRandom(11);
  let stopped = 0;
  for (let shadow = 0; shadow < 1_000; shadow += 1) {
    let looks: Looks = new Map();
    let agreed = 0;
    for (let compared = 1; compared <= 3_200; compared += 1) {
      if (random() < 0.95) agreed += 1;
      if (compared % 10 !== 0) continue;
      const judged = judgeShadow(rule, [eyes(compared, agreed)], 0, looks);
      if (judged.verdict === "disagreed") {
        stopped += 1;
        break;
      }
      assert.ok(judged.verdict === "wait");
      looks = judged.looks;
    }
  }
  assert.ok(stopped <= 10, `${stopped} of 1000`);
});

test("full agreement is never held against a candidate, and a shadow always ends", () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(200), (compared, seconds) => {
      const { verdict } = judgeShadow(rule, [eyes(compared, compared)], seconds * 1000);
      assert.notEqual(verdict, "disagreed");
      if (seconds >= 120) assert.notEqual(verdict, "wait");
    }),
  );
});

test("a least share of 0 or 100 percent is judged as well", () => {
  assert.equal(judgeShadow({ ...rule, minAgreementPercent: 0 }, [eyes(100, 0)], 60_000).verdict, "agreed");
  const all = { ...rule, minAgreementPercent: 100 };
  assert.equal(judgeShadow(all, [eyes(100, 100)], 60_000).verdict, "agreed");
  assert.equal(judgeShadow(all, [eyes(100, 99)], 1_000).verdict, "disagreed");
});
