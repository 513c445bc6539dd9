import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { asDouble, exactInteger, readJson } from "@muster/agent/runner/tensors/json-text";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const isInvalid = (error: unknown) => isMusterError(error, "inference.invalid");
const read = (text: string, depth = 64, exact = false) => readJson(Buffer.from(text), depth, exact);

describe("JSON of a request", () => {
  test("is read as any reader does", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6, stringUnit: "binary" }), (text) => {
        assert.deepEqual(read(text), JSON.parse(Buffer.from(text).toString()));
      }),
    );
  });

  test("is read or refused, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, exact) => {
        try {
          readJson(Buffer.from(bytes), 8, exact);
        } catch (error) {
          assert.ok(isInvalid(error), String(error));
        }
      }),
    );
  });

  test("may be as deep as the limit and no deeper", () => {
    const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    read(deep(5), 5);
    assert.throws(() => read(deep(6), 5), isInvalid);
  });

  test("brackets in texts are no levels", () => {
    assert.deepEqual(read('["[[[{{{", "\\"[[[", "\\\\", []]', 2), ["[[[{{{", '"[[[', "\\", []]);
  });
});

describe("long integers", () => {
  const exact = (text: string): unknown => (read(`[${text}]`, 4, true) as unknown[])[0];

  test("keep all their digits", () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 90n), 2n ** 90n), (value) => {
        assert.equal(exactInteger(exact(String(value))), value);
        assert.equal(asDouble(exact(String(value))), Number(value));
      }),
    );
  });

  test("numbers that are no integers are read as ever", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = JSON.stringify(value);
        assert.equal(asDouble(exact(text)), JSON.parse(text));
      }),
    );
  });

  const cases: [text: string, value: unknown][] = [
    ["12345678901234567.25", Number("12345678901234567.25")],
    ["0.12345678901234567890", Number("0.12345678901234567890")],
    ["1e0000000000000000001", 10],
    ["1e-0000000000000000001", 0.1],
    ["12345678901234567890e2", Number("12345678901234567890e2")],
    ['"12345678901234567890"', "12345678901234567890"],
  ];
  for (const [text, value] of cases) test(`${text} is none`, () => assert.deepEqual(exact(text), value));

  test("a text that looks like one is no integer", () => {
    assert.equal(exactInteger("12345678901234567890"), undefined);
    assert.equal(exactInteger(1.5), undefined);
    assert.equal(exactInteger(2 ** 53), undefined);
    assert.equal(asDouble("1"), undefined);
  });

  test("zeros in front are as wrong as in a short one", () => {
    assert.throws(() => exact("00000000000000000000001"), isInvalid);
  });
});
