import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { caseAgrees, goldenPasses } from "@muster/agent/runner/golden";
import type { TensorValue } from "@muster/agent/runner/tensors/datatypes";
import type { GoldenTensor } from "@muster/shared/protocol/model-evidence";
import fc from "fast-check";

const got = (data: number[], shape = [data.length], name = "y"): TensorValue => ({
  name,
  datatype: "FP32",
  shape,
  data: Float32Array.from(data),
});
const want = (data: number[], shape = [data.length], name = "y"): GoldenTensor => ({
  name,
  datatype: "FP32",
  shape,
  data,
});
const tolerance = { absolute: 0.01, relative: 0.1 };

describe("one golden case", () => {
  const cases: [string, TensorValue[], GoldenTensor[], boolean][] = [
    ["equal", [got([1, 2])], [want([1, 2])], true],
    ["within absolute and relative tolerance together", [got([1.1])], [want([1])], true],
    ["beyond them", [got([1.12])], [want([1])], false],
    ["below them", [got([0.88])], [want([1])], false],
    ["negative values use their magnitude", [got([-1.1])], [want([-1])], true],
    ["zero has the absolute tolerance alone", [got([0.011])], [want([0])], false],
    ["one of two values beyond", [got([1, 3])], [want([1, 2])], false],
    ["another class within tolerance", [got([0.5, 0.501])], [want([0.501, 0.5])], false],
    [
      "another class in the second row",
      [got([1, 0, 0.5, 0.501], [2, 2])],
      [want([1, 0, 0.501, 0.5], [2, 2])],
      false,
    ],
    [
      "classes of a second output do not matter",
      [got([1]), got([0.5, 0.501], [2], "z")],
      [want([1]), want([0.501, 0.5], [2], "z")],
      true,
    ],
    ["NaN", [got([Number.NaN])], [want([0])], false],
    ["infinite", [got([Number.POSITIVE_INFINITY])], [want([0])], false],
    ["another shape of the same size", [got([1, 2], [1, 2])], [want([1, 2], [2, 1])], false],
    ["an output is missing", [got([1])], [want([1]), want([1], [1], "z")], false],
    ["another datatype", [{ ...got([1]), datatype: "FP64" }], [want([1])], false],
    ["a scalar", [got([1], [])], [want([1], [])], true],
    ["nothing in it", [got([], [0, 4])], [want([], [0, 4])], true],
  ];
  for (const [what, outputs, wanted, agrees] of cases)
    test(what, () => {
      assert.equal(caseAgrees(outputs, wanted, tolerance), agrees);
    });

  test("64-bit integers are compared as numbers", () => {
    const output: TensorValue = { name: "y", datatype: "INT64", shape: [1], data: BigInt64Array.of(7n) };
    assert.equal(
      caseAgrees([output], [{ ...want([7]), datatype: "INT64" }], { absolute: 0, relative: 0 }),
      true,
    );
    assert.equal(
      caseAgrees([output], [{ ...want([8]), datatype: "INT64" }], { absolute: 0, relative: 0 }),
      false,
    );
  });

  const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 8 });

  test("what a model gave before agrees with itself at no tolerance", () => {
    fc.assert(
      fc.property(values, (data) => caseAgrees([got(data)], [want(data)], { absolute: 0, relative: 0 })),
    );
  });

  test("more tolerance never makes a case fail that passed", () => {
    const part = fc.double({ min: 0, max: 2, noNaN: true });
    fc.assert(
      fc.property(
        values,
        fc.nat(7),
        fc.integer({ min: -5, max: 5 }),
        part,
        part,
        (data, at, shift, absolute, relative) => {
          const moved = data.map((value, index) => (index === at ? value + shift : value));
          const passes = (more: number) =>
            caseAgrees([got(moved)], [want(data)], { absolute: absolute + more, relative: relative + more });
          return !passes(0) || passes(1);
        },
      ),
    );
  });
});

describe("the share of cases that must agree", () => {
  const cases: [number, number, number, boolean][] = [
    [10, 10, 1, true],
    [9, 10, 1, false],
    [9, 10, 0.9, true],
    [8, 10, 0.9, false],
    [0, 10, 0, true],
    [0, 0, 0, false],
  ];
  for (const [agreed, all, share, passes] of cases)
    test(`${agreed} of ${all} with ${share} needed: ${passes}`, () => {
      assert.equal(goldenPasses(agreed, all, share), passes);
    });
});
