import assert from "node:assert/strict";
import { test } from "node:test";
import { cornersOf, splitDetections, suppress } from "@muster/agent/runner/pipeline/detections";
import { place, toSource } from "@muster/agent/runner/pipeline/placement";
import { sigmoid, softmax, topK } from "@muster/agent/runner/pipeline/scores";
import fc from "fast-check";

const score = fc.float({ min: -50, max: 50, noNaN: true });
const near = (got: ArrayLike<number>, want: number[], by = 1e-5) => {
  assert.equal(got.length, want.length);
  for (const [at, value] of want.entries())
    assert.ok(Math.abs(got[at]! - value) <= by, `${got[at]} at ${at}`);
};

test("softmax gives shares, also of large scores, row by row", () => {
  near(softmax(Float32Array.of(0, Math.log(3), 1000, 1000), 2), [0.25, 0.75, 0.5, 0.5]);
  fc.assert(
    fc.property(fc.array(score, { minLength: 1, maxLength: 20 }), (scores) => {
      const shares = softmax(Float32Array.from(scores), scores.length);
      assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-5);
    }),
  );
});

test("sigmoid", () => near(sigmoid(Float32Array.of(0, Math.log(3), -200)), [0.5, 0.75, 0]));

test("the best k are those of a stable sort", () => {
  fc.assert(
    fc.property(
      fc.array(score, { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 30 }),
      (row, k) => {
        const scores = Float32Array.from(row);
        const take = Math.min(k, row.length);
        const want = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, take);
        const best = topK(scores, row.length, take);
        assert.deepEqual([...best.index], want);
        assert.deepEqual(
          [...best.score],
          want.map((at) => scores[at]),
        );
      },
    ),
  );
});

test("NaN is never the best", () => {
  const { index } = topK(Float32Array.of(Number.NaN, 1, Number.NaN, 2), 4, 4);
  assert.deepEqual([...index], [3, 1, 0, 2]);
});

const RULE = { minScore: 0.1, maxOverlap: 0.5, max: 100, acrossClasses: false };

test("of boxes that overlap the better one stays, class by class unless told otherwise", () => {
  const boxes = Float32Array.of(0, 0, 10, 10, 1, 1, 11, 11, 20, 20, 30, 30, 0, 0, 10, 10.5);
  const scores = Float32Array.of(0.8, 0, 0.9, 0, 0.05, 0.06, 0.1, 0.7);
  const found = suppress(boxes, scores, 2, RULE);
  near(found.scores, [0.9, 0.7]);
  assert.deepEqual([...found.classes], [0, 1]);
  near(found.boxes, [1, 1, 11, 11, 0, 0, 10, 10.5]);
  assert.deepEqual([...suppress(boxes, scores, 2, { ...RULE, acrossClasses: true }).classes], [0]);
  assert.equal(suppress(boxes, scores, 2, { ...RULE, max: 1 }).scores.length, 1);
  assert.equal(suppress(boxes, scores, 2, { ...RULE, minScore: 1 }).scores.length, 0);
  // Boxes 0 and 1 share 81 of 119.
  assert.equal(suppress(boxes, scores, 2, { ...RULE, maxOverlap: 81 / 119 + 1e-6 }).scores.length, 3);
});

test("what suppression left it leaves again", () => {
  const side = fc.float({ min: 0, max: 20, noNaN: true });
  const box = fc.tuple(side, side, side, side).map(([x, y, width, height]) => [x, y, x + width, y + height]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(box, fc.float({ min: 0, max: 1, noNaN: true })), { maxLength: 30 }),
      (all) => {
        const boxes = Float32Array.from(all.flatMap(([corners]) => corners));
        const once = suppress(
          boxes,
          Float32Array.from(all, ([, value]) => value),
          1,
          RULE,
        );
        assert.deepEqual(suppress(once.boxes, once.scores, 1, RULE), once);
      },
    ),
  );
});

test("centers and sizes become corners", () => {
  near(cornersOf(Float32Array.of(10, 20, 4, 6)), [8, 17, 12, 23]);
});

test("boxes with scores behind them come apart either way", () => {
  const rows = Float32Array.of(1, 2, 3, 4, 0.5, 0.2, 0.4, 5, 6, 7, 8, 1, 0.6, 0.8);
  const columns = Float32Array.from({ length: 14 }, (_, at) => rows[(at % 2) * 7 + Math.floor(at / 2)]!);
  for (const [values, across] of [
    [rows, "rows"],
    [columns, "columns"],
  ] as const) {
    const plain = splitDetections(values, 2, 7, across, false);
    near(plain.boxes, [1, 2, 3, 4, 5, 6, 7, 8]);
    near(plain.scores, [0.5, 0.2, 0.4, 1, 0.6, 0.8]);
    const weighed = splitDetections(values, 2, 7, across, true);
    near(weighed.scores, [0.1, 0.2, 0.6, 0.8]);
  }
});

const SIZE = fc.record({
  width: fc.integer({ min: 1, max: 5000 }),
  height: fc.integer({ min: 1, max: 5000 }),
});

test("pictures lie centered in their frame, whole or cut", () => {
  const frame = { width: 100, height: 100 };
  const wide = { width: 400, height: 200 };
  assert.deepEqual(place(wide, frame, "stretch").scaled, frame);
  const fit = place(wide, frame, "fit");
  assert.deepEqual([fit.scaled, fit.left, fit.top], [{ width: 100, height: 50 }, 0, 25]);
  const crop = place(wide, frame, "crop");
  assert.deepEqual([crop.scaled, crop.left, crop.top], [{ width: 200, height: 100 }, -50, 0]);
});

test("no frame is left half empty by cropping and no picture stands over by fitting", () => {
  fc.assert(
    fc.property(SIZE, SIZE, (source, frame) => {
      const fit = place(source, frame, "fit");
      assert.ok(fit.left >= 0 && fit.top >= 0);
      assert.ok(fit.scaled.width >= 1 && fit.left + fit.scaled.width <= frame.width);
      assert.ok(fit.scaled.height >= 1 && fit.top + fit.scaled.height <= frame.height);
      const crop = place(source, frame, "crop");
      assert.ok(crop.left <= 0 && crop.left + crop.scaled.width >= frame.width);
      assert.ok(crop.top <= 0 && crop.top + crop.scaled.height >= frame.height);
    }),
  );
});

test("a box around the whole picture comes back as the picture's own size", () => {
  fc.assert(
    fc.property(SIZE, SIZE, fc.constantFrom("stretch" as const, "fit" as const), (source, frame, fit) => {
      const placed = place(source, frame, fit);
      const { left, top, scaled } = placed;
      const box = [left, top, left + scaled.width, top + scaled.height];
      near(toSource(Float32Array.from(box), placed, "pixels"), [0, 0, source.width, source.height], 0.51);
      const unit = box.map((value, at) => value / (at % 2 === 0 ? frame.width : frame.height));
      near(toSource(Float32Array.from(unit), placed, "unit"), [0, 0, source.width, source.height], 1);
    }),
  );
});

test("boxes are cut at the edges of the picture", () => {
  const placed = place({ width: 400, height: 200 }, { width: 100, height: 100 }, "fit");
  near(toSource(Float32Array.of(-5, 0, 50, 200), placed, "pixels"), [0, 0, 200, 200]);
});
