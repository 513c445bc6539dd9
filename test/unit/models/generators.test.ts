import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FAMILIES } from "../../models/build.ts";
import { seededRandom } from "../../models/training/random.ts";

for (const family of FAMILIES) {
  test(`${family.name}: any seed gives finite inputs of the model's shape with a known label`, () => {
    const width = family.face.dims.reduce((product, dim) => product * dim, 1);
    fc.assert(
      fc.property(fc.maxSafeInteger(), (seed) => {
        const sample = family.draw(seededRandom(seed));
        assert.equal(sample.data.length, width);
        assert.ok(sample.data.every((value) => Number.isFinite(value) && Math.abs(value) < 20));
        assert.ok(sample.label in family.labels);
        assert.deepEqual(family.draw(seededRandom(seed)), sample);
      }),
    );
  });

  test(`${family.name}: all classes come up about equally often`, () => {
    const random = seededRandom(4);
    const counts = new Array<number>(family.labels.length).fill(0);
    for (let i = 0; i < 1_000; i++) counts[family.draw(random).label]! += 1;
    for (const count of counts) assert.ok(Math.abs(count * family.labels.length - 1_000) < 300, `${counts}`);
  });
}

test("uniform numbers stay in [0, 1) with the mean and spread of a uniform", () => {
  const random = seededRandom(2 ** 40 + 7);
  const values = Array.from({ length: 20_000 }, random);
  assert.ok(values.every((value) => value >= 0 && value < 1));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  assert.ok(Math.abs(mean - 0.5) < 0.01);
  assert.ok(Math.abs(variance - 1 / 12) < 0.003);
});
