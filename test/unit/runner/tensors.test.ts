import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeBinaryData, encodeBinaryData } from "@muster/agent/runner/tensors/binary";
import { DATATYPES, type Datatype, elementCount } from "@muster/agent/runner/tensors/datatypes";
import { decodeJsonData, encodeJsonData } from "@muster/agent/runner/tensors/json";
import { checkShape, shapeOfRaw } from "@muster/agent/runner/tensors/shape";
import { isMusterError } from "@muster/shared/errors";
import fc from "fast-check";

const isInvalid = (error: unknown) => isMusterError(error, "inference.invalid");

const ranges: [Datatype, fc.Arbitrary<number | boolean | string>][] = [
  ["BOOL", fc.boolean()],
  ["UINT8", fc.integer({ min: 0, max: 255 })],
  ["INT16", fc.integer({ min: -32_768, max: 32_767 })],
  ["UINT32", fc.integer({ min: 0, max: 2 ** 32 - 1 })],
  ["INT64", fc.maxSafeInteger()],
  ["UINT64", fc.maxSafeNat()],
  ["FP32", fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)],
  ["FP64", fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)],
  ["BYTES", fc.string({ unit: "grapheme" })],
];

describe("data that goes through", () => {
  for (const [datatype, element] of ranges)
    test(`${datatype}: JSON and binary give back what came`, () => {
      fc.assert(
        fc.property(fc.array(element, { maxLength: 20 }), (values) => {
          const shape = [values.length];
          const data = decodeJsonData("x", datatype, shape, values);
          assert.deepEqual(JSON.parse(encodeJsonData("x", datatype, data)), values);
          const bytes = encodeBinaryData(data);
          // An odd offset, as after the JSON part of a request.
          const moved = new Uint8Array(bytes.length + 3);
          moved.set(bytes, 3);
          assert.deepEqual(decodeBinaryData("x", datatype, shape, moved.subarray(3)), data);
        }),
      );
    });

  test("nested and flat data are the same", () => {
    const rows = fc.integer({ min: 1, max: 4 }).chain((width) =>
      fc.array(fc.array(fc.integer({ min: -100, max: 100 }), { minLength: width, maxLength: width }), {
        minLength: 1,
        maxLength: 5,
      }),
    );
    fc.assert(
      fc.property(rows, (data) => {
        const shape = [data.length, data[0]!.length];
        assert.deepEqual(
          decodeJsonData("x", "INT32", shape, data),
          decodeJsonData("x", "INT32", shape, data.flat()),
        );
      }),
    );
  });

  test("every datatype has an element size that fits what it is kept in", () => {
    for (const { allocate, size } of Object.values(DATATYPES)) {
      const data = allocate(3);
      if (!Array.isArray(data)) assert.equal(data.byteLength, 3 * size);
    }
  });
});

describe("anything at all", () => {
  test("as JSON data it is taken or refused with a code", () => {
    const datatype = fc.constantFrom(...(Object.keys(DATATYPES) as Datatype[]));
    fc.assert(
      fc.property(datatype, fc.array(fc.nat(4), { maxLength: 3 }), fc.jsonValue(), (type, shape, data) => {
        try {
          assert.equal(decodeJsonData("x", type, shape, data).length, elementCount("x", shape));
        } catch (error) {
          assert.ok(isInvalid(error), String(error));
        }
      }),
    );
  });

  test("as binary data it is taken or refused with a code", () => {
    const datatype = fc.constantFrom(...(Object.keys(DATATYPES) as Datatype[]));
    fc.assert(
      fc.property(datatype, fc.nat(6), fc.uint8Array({ maxLength: 40 }), (type, count, bytes) => {
        try {
          assert.equal(decodeBinaryData("x", type, [count], bytes).length, count);
        } catch (error) {
          assert.ok(isInvalid(error), String(error));
        }
      }),
    );
  });

  test("as a shape it is taken or refused with a code", () => {
    const spec = { name: "x", datatype: "FP32", shape: ["n", 4] } as const;
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(fc.integer(), { maxLength: 3 })), (shape) => {
        try {
          assert.equal(checkShape(spec, shape, new Map())[1], 4);
        } catch (error) {
          assert.ok(isInvalid(error), String(error));
        }
      }),
    );
  });
});

describe("the shape of raw bytes", () => {
  const cases: [(number | string)[], number, number[] | undefined][] = [
    [["n", 4], 8, [2, 4]],
    [["n", 4], 0, [0, 4]],
    [["n", 4], 6, undefined],
    [[2, 2], 4, [2, 2]],
    [[2, 2], 8, undefined],
    [["n", "m"], 4, undefined],
    [[], 1, []],
    [["n", 0], 4, [0, 0]],
  ];
  for (const [shape, elements, expected] of cases)
    test(`${elements} elements for [${shape.join(", ")}]`, () => {
      const run = () => shapeOfRaw({ name: "x", datatype: "FP32", shape }, elements);
      if (expected) assert.deepEqual(run(), expected);
      else assert.throws(run, isInvalid);
    });
});

test("a shape may have no more elements than fit, even when another dimension is 0", () => {
  assert.equal(elementCount("x", [2 ** 40, 0]), 0);
  assert.throws(() => elementCount("x", [2 ** 16, 2 ** 16]), isInvalid);
  assert.throws(() => elementCount("x", [2 ** 53 - 1, 2 ** 53 - 1, 2 ** 53 - 1]), isInvalid);
});
