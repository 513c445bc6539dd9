import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BatchCost } from "@muster/agent/runner/schedule/batch-cost";
import { batchSizes, bestBatch, type CurvePoint, timeOn } from "@muster/agent/runner/schedule/batch-curve";
import fc from "fast-check";

const curve = (...points: [rows: number, ms: number][]): CurvePoint[] =>
  points.map(([rows, ms]) => ({ rows, ms }));

describe("sizes to measure", () => {
  for (const [largest, sizes] of [
    [1, [1]],
    [2, [1, 2]],
    [32, [1, 2, 4, 8, 16, 32]],
    [20, [1, 2, 4, 8, 16, 20]],
  ] as const)
    test(`up to ${largest}`, () => assert.deepEqual(batchSizes(largest), sizes));
});

describe("the best batch", () => {
  const cases: [string, CurvePoint[], number][] = [
    ["one row where more rows bring nothing", curve([1, 1], [2, 2], [4, 4]), 1],
    ["the largest where each doubling pays", curve([1, 1], [2, 1.1], [4, 1.2], [8, 1.4]), 8],
    ["the smallest within 5 % of the best", curve([1, 1], [2, 1.2], [4, 2], [8, 3.9]), 4],
    ["not one that is worse", curve([1, 1], [2, 1], [4, 5]), 2],
    ["one row where only that was measured", curve([1, 700]), 1],
  ];
  for (const [name, points, rows] of cases) test(name, () => assert.equal(bestBatch(points), rows));
});

describe("the time of a batch", () => {
  const points = curve([1, 1], [4, 2.5], [8, 3.5]);
  for (const [rows, ms] of [
    [1, 1],
    [0, 1],
    [2, 1.5],
    [4, 2.5],
    [6, 3],
    [16, 7],
  ] as const)
    test(`${rows} rows`, () => assert.equal(timeOn(points, rows), ms));
  test("nothing is known of an empty curve", () => assert.equal(timeOn([], 4), 0));
});

describe("the cost of a model", () => {
  test("the first batch is its curve where none was measured", () => {
    const cost = new BatchCost();
    assert.equal(cost.predict(3), 0);
    cost.observe(2, 4);
    assert.deepEqual([cost.predict(1), cost.predict(2), cost.predict(4)], [4, 4, 8]);
  });

  test("follows a model that has become slower, and no single hiccup", () => {
    const cost = new BatchCost(curve([1, 2], [2, 4]));
    for (let batch = 0; batch < 5; batch++) cost.observe(1, 2);
    cost.observe(1, 400);
    assert.equal(cost.predict(1), 2);
    for (let batch = 0; batch < 5; batch++) cost.observe(2, 12);
    assert.equal(cost.predict(1), 6);
  });

  test("a prediction that refuses everything is tried now and then, ever more rarely while it holds", () => {
    const cost = new BatchCost(curve([1, 100]));
    const refusalsUntilTry = () => {
      let refusals = 0;
      while (!cost.worthATry()) refusals += 1;
      return refusals;
    };
    assert.equal(refusalsUntilTry(), 8);
    cost.observe(1, 100);
    assert.equal(refusalsUntilTry(), 16);
    cost.observe(1, 95);
    assert.equal(refusalsUntilTry(), 32);
    cost.observe(1, 10);
    assert.equal(refusalsUntilTry(), 8);
  });

  test("property: a wrong curve is corrected by a few tries", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 50, noNaN: true }), (real) => {
        const cost = new BatchCost(curve([1, 100]));
        for (let request = 0; request < 200; request++) if (cost.worthATry()) cost.observe(1, real);
        assert.ok(cost.predict(1) <= real * 1.01);
      }),
    );
  });
});
