import assert from "node:assert/strict";
import { test } from "node:test";
import { type ByteRange, requestedRange } from "@muster/control-plane/releases/byte-range";
import fc from "fast-check";

const ETAG = '"abc"';

const table: [string | undefined, string | undefined, ByteRange][] = [
  [undefined, undefined, "all"],
  ["bytes=0-3", undefined, { start: 0, end: 3 }],
  ["bytes=4-", undefined, { start: 4, end: 9 }],
  ["bytes=-4", undefined, { start: 6, end: 9 }],
  ["bytes=-40", undefined, { start: 0, end: 9 }],
  ["bytes=9-9", undefined, { start: 9, end: 9 }],
  ["bytes=8-400", undefined, { start: 8, end: 9 }],
  ["Bytes = 1 - 2", undefined, { start: 1, end: 2 }],
  ["bytes=10-", undefined, "unsatisfiable"],
  ["bytes=10-12", undefined, "unsatisfiable"],
  ["bytes=-0", undefined, "unsatisfiable"],
  ["bytes=5-4", undefined, "all"],
  ["bytes=-", undefined, "all"],
  ["bytes=a-b", undefined, "all"],
  ["bytes=0-1,4-5", undefined, "all"],
  ["items=0-1", undefined, "all"],
  ["bytes=0-3", ETAG, { start: 0, end: 3 }],
  ["bytes=0-3", '"other"', "all"],
  ["bytes=0-3", 'W/"abc"', "all"],
  ["bytes=0-3", "Sun, 22 Nov 2026 08:00:00 GMT", "all"],
];

for (const [range, ifRange, expected] of table)
  test(`${range ?? "no Range"}${ifRange ? ` if ${ifRange}` : ""} of 10 bytes`, () => {
    assert.deepEqual(requestedRange({ range, ifRange }, 10, ETAG), expected);
  });

test("a range is never empty and never leaves the representation", () => {
  const bound = fc.oneof(fc.constant(""), fc.nat(30).map(String));
  fc.assert(
    fc.property(bound, bound, fc.integer({ min: 1, max: 20 }), (first, last, size) => {
      const range = requestedRange({ range: `bytes=${first}-${last}`, ifRange: undefined }, size, ETAG);
      if (typeof range === "string") return;
      assert.ok(range.start >= 0 && range.start <= range.end && range.end < size);
    }),
  );
});
