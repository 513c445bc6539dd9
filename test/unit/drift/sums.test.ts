import assert from "node:assert/strict";
import { test } from "node:test";
import type { DriftDetail } from "@muster/control-plane/api/schemas/drift";
import { describeDrift, driftTable } from "@muster/control-plane/cli/drift-words";
import { addSums, noSums } from "@muster/control-plane/drift/drift-sums";

const quality = { rows: 1, nan: 0, infinite: 0, outOfRange: 0, constant: 0 };

test("sums: names that every object has are names like others, and change nothing else", () => {
  const sums = noSums();
  const inputs = Object.fromEntries([
    ["__proto__", quality],
    ["constructor", quality],
    ["toString", quality],
  ]);
  const features = { constructor: [1, 2], valueOf: [3, 4] };
  const more = { ...noSums(), windows: 1, features, effective: { constructor: 3 }, inputs };
  addSums(sums, more);
  addSums(sums, more);
  assert.deepEqual(sums.features, { constructor: [2, 4], valueOf: [6, 8] });
  assert.deepEqual(sums.effective, { constructor: 6, valueOf: 0 });
  assert.deepEqual(sums.inputs, {
    constructor: { ...quality, rows: 2 },
    toString: { ...quality, rows: 2 },
  });
  assert.equal(Object.hasOwn(Object.prototype, "rows"), false);
  assert.equal(Object.hasOwn(Object, "rows"), false);
});

test("sums: inputs that devices make up do not make them grow", () => {
  const sums = noSums();
  for (let index = 0; index < 100; index += 1)
    addSums(sums, { ...noSums(), inputs: { [`made-up-${index}`]: quality } });
  assert.equal(Object.keys(sums.inputs).length, 16);
  addSums(sums, { ...noSums(), inputs: { "made-up-3": quality } });
  assert.equal(sums.inputs["made-up-3"]?.rows, 2, "a known one counts on");
});

test("words: a feature whose values all lie in one bin has nothing that chance could reach", () => {
  const feature = {
    ...{ feature: "output:scores:class", psi: 0, threshold: null, samples: 10, effective: 10 },
    band: "none" as const,
  };
  const detail: DriftDetail = {
    release: { name: "vision", version: "1.0.0", digest: `sha256:${"0".repeat(64)}` },
    ...{ model: "detector", version: "1.0.0", variant: "int8", windows: 1, judged: 1, drifted: 0 },
    ...{ samples: 10, rejected: 0, band: "none", worst: feature, devices: 1, alarms: 0 },
    reference: { digest: `sha256:${"1".repeat(64)}`, samples: 10 },
    features: [{ ...feature, edges: [1], expected: [10, 0], counts: [10, 0] }],
    ...{ inputs: {}, drifting: [] },
  };
  assert.match(driftTable([detail], undefined), /none +0\.000 +- +0 of 1/);
  assert.match(
    describeDrift(detail, undefined, (_style, text) => text),
    /none +0\.000 +- +10 +10/,
  );
});
