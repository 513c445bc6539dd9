import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "@muster/agent/runner/shadow/compare";
import type { ShadowAnswer } from "@muster/agent/runner/shadow/words";
import type { Verdict } from "@muster/agent/runner/verdict";

const top = (index: number, score = 0.9, label?: string): Verdict => ({
  ok: true,
  top: { index, score, ...(label === undefined ? {} : { label }) },
});
const failed: Verdict = { ok: false, top: null, failure: { code: "inference.failed", message: "NaN" } };
const unscored: Verdict = { ok: true, top: null };
const answer = (verdicts: Verdict[], more: Partial<ShadowAnswer> = {}): ShadowAnswer => ({
  id: 1,
  verdicts,
  latencyUs: 1,
  cpuUs: 1,
  ...more,
});

test("rows are compared one by one, by their class", () => {
  const rows = compare([top(0), top(1), top(2)], answer([top(0, 0.5), top(2), top(2)]));
  assert.deepEqual(
    rows.map(({ agreed }) => agreed),
    [true, false, true],
  );
  assert.deepEqual(rows[0], { agreed: true, failed: false, live: 0.9, candidate: 0.5 });
});

test("labels decide where both releases have them: classes may stand in another order", () => {
  const rows = compare(
    [top(0, 0.9, "cat"), top(0, 0.9, "cat")],
    answer([top(1, 0.9, "cat"), top(0, 0.9, "dog")]),
  );
  assert.deepEqual(
    rows.map(({ agreed }) => agreed),
    [true, false],
  );
});

test("a row that the candidate fails on, or all of them, is a disagreement", () => {
  assert.deepEqual(compare([top(0)], answer([failed])), [{ agreed: false, failed: true, live: 0.9 }]);
  const all = compare([top(0), top(1)], answer([failed]));
  assert.deepEqual(
    all.map((row) => [row.agreed, row.failed]),
    [
      [false, true],
      [false, true],
    ],
  );
});

test("a row that the live release failed on says nothing", () => {
  assert.deepEqual(compare([failed], answer([top(0)])), []);
});

test("without scores it is the values that have to be reproduced", () => {
  assert.equal(compare([unscored], answer([unscored], { reproduced: true }))[0]?.agreed, true);
  assert.equal(compare([unscored], answer([unscored], { reproduced: false }))[0]?.agreed, false);
  assert.equal(compare([unscored], answer([unscored]))[0]?.agreed, false);
});

test("scores where the candidate has none are a disagreement", () => {
  assert.equal(compare([top(0)], answer([unscored]))[0]?.agreed, false);
});
