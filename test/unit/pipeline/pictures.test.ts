import assert from "node:assert/strict";
import { test } from "node:test";
import { compileBefore } from "@muster/agent/runner/pipeline/before";
import { decodePicture } from "@muster/agent/runner/pipeline/picture";
import type { BeforeStep } from "@muster/shared/protocol/serving/pipeline";
import fc from "fast-check";
import { bomb, jpeg, orientedJpeg, png } from "./pictures.ts";

const DECODE = { op: "decode-image" } as const;
const FITS = ["stretch", "fit", "crop"] as const;

test("a PNG gives its very pixels, gray or in color, with and without transparency", async () => {
  const gray = Uint8Array.from({ length: 12 }, (_, at) => at * 20);
  const fromGray = await decodePicture(await png(4, 3, 1, gray), DECODE, undefined);
  assert.deepEqual(
    [...fromGray.rgb],
    [...gray].flatMap((value) => [value, value, value]),
  );
  const color = Uint8Array.from({ length: 36 }, (_, at) => at * 7);
  assert.deepEqual([...(await decodePicture(await png(4, 3, 3, color), DECODE, undefined)).rgb], [...color]);
  const clear = Uint8Array.from({ length: 48 }, (_, at) => (at % 4 === 3 ? 128 : at * 5));
  const opaque = [...clear].filter((_, at) => at % 4 !== 3);
  assert.deepEqual([...(await decodePicture(await png(4, 3, 4, clear), DECODE, undefined)).rgb], opaque);
});

test("a constant picture stays constant at any size, fit and filter", async () => {
  const side = fc.integer({ min: 1, max: 60 });
  const filter = fc.constantFrom("nearest", "linear", "cubic", "lanczos3");
  await fc.assert(
    fc.asyncProperty(
      side,
      side,
      side,
      side,
      fc.constantFrom(...FITS),
      filter,
      fc.nat(255),
      async (width, height, toWidth, toHeight, fit, kind, level) => {
        const body = await png(width, height, 3, new Uint8Array(width * height * 3).fill(level));
        const resize = {
          op: "resize",
          width: toWidth,
          height: toHeight,
          fit,
          filter: kind,
          pad: level,
        } as const;
        const { rgb, placement } = await decodePicture(body, DECODE, resize);
        assert.equal(rgb.length, toWidth * toHeight * 3);
        assert.deepEqual(placement.frame, { width: toWidth, height: toHeight });
        assert.ok(rgb.every((value) => value === level));
      },
    ),
    { numRuns: 40 },
  );
});

test("fitting pads on both sides, cropping cuts both sides", async () => {
  // Left half 50, right half 200, twice as wide as high.
  const wide = Uint8Array.from({ length: 40 * 20 * 3 }, (_, at) => (Math.floor(at / 3) % 40 < 20 ? 50 : 200));
  const body = await png(40, 20, 3, wide);
  const shape = { op: "resize", width: 20, height: 20, filter: "nearest", pad: 7 } as const;
  const at = (rgb: Uint8Array, x: number, y: number) => rgb[(y * 20 + x) * 3];
  const fit = await decodePicture(body, DECODE, { ...shape, fit: "fit" });
  assert.deepEqual(
    [at(fit.rgb, 5, 4), at(fit.rgb, 5, 5), at(fit.rgb, 15, 14), at(fit.rgb, 15, 15)],
    [7, 50, 200, 7],
  );
  const crop = await decodePicture(body, DECODE, { ...shape, fit: "crop" });
  assert.deepEqual([at(crop.rgb, 9, 0), at(crop.rgb, 10, 19)], [50, 200]);
});

test("a picture is turned as its camera held it, unless the release says otherwise", async () => {
  const body = await orientedJpeg(40, 20);
  assert.deepEqual((await decodePicture(body, DECODE, undefined)).placement.source, {
    width: 20,
    height: 40,
  });
  const raw = await decodePicture(body, { ...DECODE, orient: false }, undefined);
  assert.deepEqual(raw.placement.source, { width: 40, height: 20 });
});

test("what has too many pixels is refused undecoded", async () => {
  await assert.rejects(decodePicture(bomb(60_000, 60_000), DECODE, undefined), { code: "media.too-large" });
  await assert.rejects(decodePicture(bomb(2 ** 31 - 1, 2 ** 31 - 1), DECODE, undefined), (error) =>
    ["media.too-large", "media.invalid"].includes((error as { code: string }).code),
  );
  const small = await png(10, 10, 3, new Uint8Array(300));
  await assert.rejects(decodePicture(small, { ...DECODE, maxPixels: 99 }, undefined), {
    code: "media.too-large",
  });
  await decodePicture(small, { ...DECODE, maxPixels: 100 }, undefined);
});

test("what is cut off, damaged or no picture at all is refused", async () => {
  const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * 7919) % 251);
  for (const body of [await png(64, 64, 3, noise), await jpeg(64, 64, noise)]) {
    for (const share of [0, 0.05, 0.3, 0.6, 0.9])
      await assert.rejects(decodePicture(body.subarray(0, body.length * share), DECODE, undefined), {
        code: "media.invalid",
      });
  }
  for (const text of [
    "",
    "hello",
    "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "GIF89a",
  ])
    await assert.rejects(decodePicture(Buffer.from(text), DECODE, undefined), { code: "media.invalid" });
});

test("damage at any place gives a picture or a coded error", async () => {
  const noise = Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => (at * 7919) % 251);
  const bodies = [await png(32, 32, 3, noise), await jpeg(32, 32, noise)];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...bodies), fc.nat(), fc.nat(255), async (body, place, value) => {
      const damaged = Uint8Array.from(body);
      damaged[place % damaged.length] = value;
      await decodePicture(damaged, DECODE, undefined).catch((error: { code: string }) => {
        assert.ok(["media.invalid", "media.too-large"].includes(error.code), error.code);
      });
    }),
    { numRuns: 150 },
  );
});

test("many at once all come out, in turn", async () => {
  const body = await png(32, 32, 3, new Uint8Array(32 * 32 * 3).fill(9));
  const all = await Promise.all(Array.from({ length: 30 }, () => decodePicture(body, DECODE, undefined)));
  assert.ok(all.every(({ rgb }) => rgb[0] === 9));
  const results = await Promise.allSettled(
    Array.from({ length: 100 }, () => decodePicture(body, DECODE, undefined)),
  );
  const refused = results.filter(({ status }) => status === "rejected");
  assert.ok(refused.length > 0);
  for (const each of refused)
    assert.equal((each as PromiseRejectedResult).reason.code, "inference.overloaded");
});

test("steps of a picture make the tensor that they say", async () => {
  const color = Uint8Array.from({ length: 2 * 2 * 3 }, (_, at) => at * 10);
  const body = await png(2, 2, 3, color);
  const run = async (steps: BeforeStep[], datatype: string, shape: (number | string)[]) => {
    const input = { name: "x", datatype, shape } as never;
    const made = await compileBefore(
      [DECODE, { op: "resize", width: 2, height: 2, fit: "stretch" }, ...steps],
      [input],
    ).run(body);
    return made.input;
  };
  const bytes = await run([{ op: "layout", to: "NHWC" }], "UINT8", ["n", 2, 2, 3]);
  assert.deepEqual([bytes.shape, [...(bytes.data as Uint8Array)]], [[1, 2, 2, 3], [...color]]);
  const planar = await run(
    [
      { op: "color", to: "bgr" },
      { op: "normalize", scale: 0.1, mean: [2], std: [1, 1, 2] },
      { op: "cast", to: "FP16" },
      { op: "layout", to: "NCHW" },
    ],
    "FP16",
    [1, 3, 2, 2],
  );
  assert.deepEqual(planar.shape, [1, 3, 2, 2]);
  assert.equal((planar.data as Uint16Array)[0], 0);
  const standard = await run(
    [
      { op: "color", to: "gray" },
      { op: "standardize" },
      { op: "layout", to: "NCHW" },
      { op: "reshape", shape: [-1] },
    ],
    "FP32",
    [4],
  );
  assert.equal(standard.shape[0], 4);
  const sum = (standard.data as Float32Array).reduce((total, value) => total + value, 0);
  assert.ok(Math.abs(sum) < 1e-5);
});
