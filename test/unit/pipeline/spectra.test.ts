import assert from "node:assert/strict";
import { test } from "node:test";
import { Fft, spectra } from "@muster/agent/runner/pipeline/fft";
import fc from "fast-check";

/** The definition, term by term. */
function naivePower(frame: ArrayLike<number>): number[] {
  const size = frame.length;
  return Array.from({ length: size / 2 + 1 }, (_, bin) => {
    let [real, imaginary] = [0, 0];
    for (let at = 0; at < size; at++) {
      real += frame[at]! * Math.cos((2 * Math.PI * bin * at) / size);
      imaginary -= frame[at]! * Math.sin((2 * Math.PI * bin * at) / size);
    }
    return real ** 2 + imaginary ** 2;
  });
}

const frame = fc
  .integer({ min: 1, max: 8 })
  .chain((power) =>
    fc.array(fc.float({ min: -100, max: 100, noNaN: true }), {
      minLength: 2 ** power,
      maxLength: 2 ** power,
    }),
  )
  .map((values) => Float32Array.from(values));

const close = (got: number, want: number, scale: number) =>
  assert.ok(Math.abs(got - want) <= 1e-6 * scale + 1e-6, `${got} is not ${want}`);

const powerOf = (values: Float32Array) => spectra(new Fft(values.length), values, "power");

test("the spectrum is that of the naive transform", () => {
  fc.assert(
    fc.property(frame, (values) => {
      const want = naivePower(values);
      const scale = Math.max(...want);
      for (const [bin, got] of powerOf(values).entries()) close(got, want[bin]!, scale);
    }),
  );
});

test("energy in time is energy in frequency (Parseval)", () => {
  fc.assert(
    fc.property(frame, (values) => {
      const size = values.length;
      const energy = values.reduce((sum, value) => sum + value ** 2, 0);
      const power = powerOf(values);
      const both = power.reduce(
        (sum, value, bin) => sum + value * (bin === 0 || bin === size / 2 ? 1 : 2),
        0,
      );
      close(both / size, energy, energy);
    }),
  );
});

test("twice the signal has twice the magnitude, and magnitudes never add up to less (linearity)", () => {
  fc.assert(
    fc.property(frame, (values) => {
      const fft = new Fft(values.length);
      const once = spectra(fft, values, "magnitude");
      const twice = spectra(
        fft,
        values.map((value) => 2 * value),
        "magnitude",
      );
      const scale = Math.max(...twice);
      for (const [bin, got] of twice.entries()) close(got, 2 * once[bin]!, scale);
    }),
  );
});

test("a tone of bin 3 is at bin 3, frame by frame, in each form", () => {
  const size = 64;
  const tone = Float32Array.from({ length: 2 * size }, (_, at) => Math.cos((2 * Math.PI * 3 * at) / size));
  const fft = new Fft(size);
  for (const [give, want] of [
    ["magnitude", 32],
    ["power", 1024],
    ["log-magnitude", Math.log(32 + 1e-6)],
  ] as const) {
    const found = spectra(fft, tone, give);
    assert.equal(found.length, 2 * 33);
    for (const start of [0, 33]) {
      const bins = found.subarray(start, start + 33);
      assert.equal(bins.indexOf(Math.max(...bins)), 3);
      assert.ok(Math.abs(bins[3]! - want) < 1e-3);
    }
  }
});
