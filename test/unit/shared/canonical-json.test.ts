import assert from "node:assert/strict";
import { test } from "node:test";
import { isMusterError } from "@muster/shared/errors";
import { canonicalJson } from "@muster/shared/trust/canonical-json";
import fc from "fast-check";

test("RFC 8785 examples", () => {
  const cases: [unknown, string][] = [
    [{ b: 1, a: [true, null, "x"] }, '{"a":[true,null,"x"],"b":1}'],
    [{ "\u20ac": 1, "\r": 2, "1": 3 }, '{"\\r":2,"1":3,"€":1}'],
    [[1e21, 1e-7, -0, 4.5], "[1e+21,1e-7,0,4.5]"],
    [{ gone: undefined, kept: "" }, '{"kept":""}'],
  ];
  for (const [value, text] of cases) assert.equal(canonicalJson(value), text);
});

test("order of keys never matters, and the text parses back", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue()), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      const text = canonicalJson(value);
      assert.equal(canonicalJson(reversed), text);
      assert.equal(canonicalJson(JSON.parse(text)), text);
    }),
  );
});

test("what JSON cannot carry is refused", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, () => 1, undefined, "\ud800", 1n])
    assert.throws(
      () => canonicalJson(value),
      (error) => isMusterError(error, "request.invalid"),
    );
});
