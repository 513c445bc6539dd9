import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "@muster/agent/runner/pipeline/resample";
import { decodeSignal, framesOf, taperOf } from "@muster/agent/runner/pipeline/signal";
import { standardize } from "@muster/agent/runner/pipeline/standardize";
import fc from "fast-check";

const decode = (bytes: number[], more: object) =>
  Array.from(
    decodeSignal(Uint8Array.from(bytes), { op: "decode-signal", type: "int16", ...more } as never).data,
  );

test("samples of each type, either end first, one channel behind the other", () => {
  assert.deepEqual(decode([0x01, 0x00, 0xff, 0xff], {}), [1, -1]);
  assert.deepEqual(decode([0x01, 0x00, 0xff, 0xfe], { endian: "big" }), [256, -2]);
  assert.deepEqual(decode([1, 0, 2, 0, 3, 0, 4, 0], { channels: 2 }), [1, 3, 2, 4]);
  assert.deepEqual(decode([0x80, 0x7f], { type: "int8" }), [-128, 127]);
  assert.deepEqual(decode([0x80, 0x7f], { type: "uint8" }), [128, 127]);
  assert.deepEqual(decode([0, 0, 0, 0x80], { type: "int32" }), [-(2 ** 31)]);
  assert.deepEqual(decode([0, 0, 0xc0, 0x3f], { type: "float32" }), [1.5]);
  assert.deepEqual(decode([0xbf, 0xf8, 0, 0, 0, 0, 0, 0], { type: "float64", endian: "big" }), [-1.5]);
});

test("a body at an odd address is read as any other", () => {
  const bytes = Uint8Array.from([9, 1, 0, 2, 0]).subarray(1);
  assert.deepEqual([...decodeSignal(bytes, { op: "decode-signal", type: "int16" }).data], [1, 2]);
});

test("part of a sample, no sample and too many are refused", () => {
  for (const bytes of [[], [1], [1, 0, 2]]) assert.throws(() => decode(bytes, {}), { code: "media.invalid" });
  assert.throws(() => decode([1, 0], { channels: 2 }), { code: "media.invalid" });
  assert.throws(() => decode([1, 0, 2, 0], { maxSamples: 1 }), { code: "media.too-large" });
});

test("frames hop over the signal and take all channels along", () => {
  const signal = { channels: 2, data: Float32Array.from([1, 2, 3, 4, 5, 11, 12, 13, 14, 15]) };
  assert.deepEqual([...framesOf(signal, 3, 2, null)], [1, 2, 3, 11, 12, 13, 3, 4, 5, 13, 14, 15]);
  assert.deepEqual(
    [...framesOf(signal, 4, 4, Float32Array.from([0, 1, 2, 3]))],
    [0, 2, 6, 12, 0, 12, 26, 42],
  );
  assert.throws(() => framesOf(signal, 6, 1, null), { code: "media.invalid" });
  const long = { channels: 1, data: new Float32Array(5000) };
  assert.throws(() => framesOf(long, 1, 1, null), { code: "media.too-large" });
  const wide = { channels: 64, data: new Float32Array(64 * 66_000) };
  assert.throws(() => framesOf(wide, 65_536, 1, null), { code: "media.too-large" });
});

test("tapers are the periodic Hann and Hamming windows", () => {
  assert.equal(taperOf(4, "none"), null);
  assert.deepEqual(
    Array.from(taperOf(4, "hann")!, (value) => value.toFixed(4)),
    ["0.0000", "0.5000", "1.0000", "0.5000"],
  );
  assert.deepEqual(
    Array.from(taperOf(4, "hamming")!, (value) => value.toFixed(4)),
    ["0.0800", "0.5400", "1.0000", "0.5400"],
  );
});

test("a constant stays what it is at any rate", () => {
  fc.assert(
    fc.property(
      fc.constantFrom([44_100, 16_000], [8_000, 16_000], [6_400, 5_000], [1000, 1000], [48_000, 8_000]),
      fc.float({ min: -10, max: 10, noNaN: true }),
      fc.integer({ min: 1, max: 500 }),
      ([from, to], level, length) => {
        const out = new Resampler(from!, to!).apply(new Float32Array(length).fill(level));
        assert.equal(out.length, Math.ceil((length * to!) / from!));
        for (const value of out) assert.ok(Math.abs(value - level) < 1e-5 + 1e-5 * Math.abs(level));
      },
    ),
  );
});

test("a tone keeps its pitch, and one that the new rate cannot carry is gone", () => {
  const tone = (hertz: number, rate: number, length: number) =>
    Float32Array.from({ length }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rate));
  const kept = new Resampler(44_100, 16_000).apply(tone(1000, 44_100, 8820));
  const want = tone(1000, 16_000, kept.length);
  for (let at = 200; at < kept.length - 200; at++) assert.ok(Math.abs(kept[at]! - want[at]!) < 0.01);
  const gone = new Resampler(44_100, 16_000).apply(tone(12_000, 44_100, 8820));
  for (let at = 200; at < gone.length - 200; at++) assert.ok(Math.abs(gone[at]!) < 0.02);
});

test("each run comes to mean 0 and standard deviation 1; one that does not vary to 0", () => {
  const out = standardize(Float32Array.from([1, 3, 1, 3, 5, 5, 5, 5]), 4);
  assert.deepEqual([...out], [-1, 1, -1, 1, 0, 0, 0, 0]);
});
