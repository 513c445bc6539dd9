import assert from "node:assert/strict";
import { test } from "node:test";
import { castTo } from "@muster/agent/runner/pipeline/cast";
import { fromHalf, toHalf } from "@muster/agent/runner/pipeline/half";
import { normalizeTables, packPixels } from "@muster/agent/runner/pipeline/pack";

test("every half float but NaN comes back as it was", () => {
  for (let half = 0; half < 0x10000; half++) {
    const value = fromHalf(half);
    if (!Number.isNaN(value)) assert.equal(toHalf(value), half);
  }
});

test("floats become the nearest half, ties the even one", () => {
  const cases: [number, number][] = [
    [1, 0x3c00],
    [-2, 0xc000],
    [1 / 3, 0x3555],
    [65_504, 0x7bff],
    [65_519, 0x7bff],
    [65_520, 0x7c00],
    [1e9, 0x7c00],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.5, 0x0001],
    [2 ** -14, 0x0400],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [-0, 0x8000],
    [Number.NEGATIVE_INFINITY, 0xfc00],
  ];
  for (const [value, half] of cases) assert.equal(toHalf(value), half, `${value}`);
  assert.ok(Number.isNaN(fromHalf(toHalf(Number.NaN))));
});

test("integers are rounded to the even neighbour and saturate", () => {
  const values = Float32Array.from([
    0.5,
    1.5,
    -0.5,
    -1.5,
    2.4,
    300,
    -300,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ]);
  assert.deepEqual([...(castTo(values, "INT8") as Int8Array)], [0, 2, 0, -2, 2, 127, -128, 0, 127]);
  assert.deepEqual([...(castTo(values, "UINT8") as Uint8Array)], [0, 2, 0, 0, 2, 255, 0, 0, 255]);
  assert.deepEqual([...(castTo(Uint8Array.of(1, 255), "FP32") as Float32Array)], [1, 255]);
  assert.deepEqual([...(castTo(Float32Array.of(1.5), "FP64") as Float64Array)], [1.5]);
  assert.equal(castTo(values, "FP32"), values);
});

const TWO_PIXELS = Uint8Array.of(10, 20, 30, 40, 50, 60);

test("pixels lie as the layout and order say", () => {
  const pack = (order: "rgb" | "bgr" | "gray", planar: boolean) => [
    ...packPixels(TWO_PIXELS, { order, planar, tables: null }),
  ];
  assert.deepEqual(pack("rgb", false), [10, 20, 30, 40, 50, 60]);
  assert.deepEqual(pack("rgb", true), [10, 40, 20, 50, 30, 60]);
  assert.deepEqual(pack("bgr", false), [30, 20, 10, 60, 50, 40]);
  assert.deepEqual(pack("bgr", true), [30, 60, 20, 50, 10, 40]);
  // 0.299 R + 0.587 G + 0.114 B
  assert.deepEqual(pack("gray", true), [18, 48]);
});

test("equal channels keep their value as gray", () => {
  const ramp = Uint8Array.from({ length: 768 }, (_, at) => Math.floor(at / 3));
  const gray = packPixels(ramp, { order: "gray", planar: false, tables: null });
  assert.deepEqual([...gray], [...Array(256).keys()]);
});

test("values are normalized by the channel that they end up in", () => {
  const tables = normalizeTables(3, 1 / 255, [0.1, 0.2, 0.3], [0.5, 1, 2]);
  const got = packPixels(TWO_PIXELS, { order: "bgr", planar: true, tables });
  const want = [30, 60, 20, 50, 10, 40].map((value, at) => {
    const channel = Math.floor(at / 2);
    return (value / 255 - [0.1, 0.2, 0.3][channel]!) / [0.5, 1, 2][channel]!;
  });
  assert.deepEqual([...got], want.map(Math.fround));
});
