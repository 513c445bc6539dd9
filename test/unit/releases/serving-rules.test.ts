import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { requireSound } from "@muster/control-plane/releases/manifest-rules";
import { isMusterError } from "@muster/shared/errors";
import { ReleaseManifest } from "@muster/shared/protocol/release";
import type { Serving } from "@muster/shared/protocol/serving/serving";
import { validate } from "@muster/shared/protocol/validate";
import { sha256 } from "@muster/shared/trust/digest";

const artifact = (name: string) => ({ name, digest: sha256(name), size: 1 });

const variant = (id: string) => ({
  id,
  precision: "int8",
  requires: { providers: ["cpu"] },
  model: artifact("model.onnx"),
  golden: artifact("golden.json"),
  reference: artifact("reference.json"),
});

const check = (serving: Serving): void =>
  requireSound(
    validate(
      ReleaseManifest,
      {
        schema: "muster.release/1",
        name: "line",
        version: "1.0.0",
        sequence: 1,
        components: [
          {
            type: "model",
            name: "large",
            version: "1.0.0",
            variants: [variant("fp32"), variant("int8")],
            serving,
          },
          { type: "model", name: "small", version: "1.0.0", variants: [variant("fp32")] },
          { type: "model", name: "foreign", version: "1.0.0", labels: ["cat"], variants: [variant("fp32")] },
        ],
        probation: {
          minSeconds: 0,
          deadlineSeconds: 1,
          minInferences: 0,
          maxErrorRate: 0,
          maxP95Ms: 50,
          maxCrashes: 0,
        },
      },
      "release.manifest-invalid",
    ),
  );

const refuses = (words: RegExp) => (error: unknown) =>
  isMusterError(error, "release.manifest-invalid") && words.test(error.message);

const output = { name: "y", datatype: "FP32", shape: [1, 2], data: [0, 1] };

describe("what a release says of serving", () => {
  test("may name its variants, other models, a cache and default outputs", () =>
    check({
      batching: { maxBatch: 16, maxDelayMs: 2 },
      cascade: [
        { use: "variant", variant: "int8", when: ["heat", "power"] },
        { use: "model", model: "small", when: ["deadline", "failure"] },
        { use: "cache", maxAgeSeconds: 60, maxEntries: 100, when: ["failure"] },
        { use: "default", outputs: [output], when: ["failure", "deadline"] },
      ],
    }));

  const broken: [string, Serving, RegExp][] = [
    [
      "a variant that is not there",
      { cascade: [{ use: "variant", variant: "int4", when: ["heat"] }] },
      /int4/,
    ],
    ["a model that is not there", { cascade: [{ use: "model", model: "tiny", when: ["heat"] }] }, /tiny/],
    [
      "a model with other labels",
      { cascade: [{ use: "model", model: "foreign", when: ["heat"] }] },
      /labels are others/,
    ],
    ["itself", { cascade: [{ use: "model", model: "large", when: ["heat"] }] }, /no other model/],
    [
      "one variant twice",
      {
        cascade: [
          { use: "variant", variant: "int8", when: ["heat"] },
          { use: "variant", variant: "int8", when: ["power"] },
        ],
      },
      /variant int8 twice/,
    ],
    [
      "defaults of the wrong size",
      { cascade: [{ use: "default", outputs: [{ ...output, data: [1] }], when: ["failure"] }] },
      /has 1 values; its shape needs 2/,
    ],
    [
      "one default twice",
      { cascade: [{ use: "default", outputs: [output, output], when: ["failure"] }] },
      /one name twice/,
    ],
    ["a delay without batches", { batching: { maxBatch: 1, maxDelayMs: 5 } }, /maxDelayMs/],
    ["a rung for no reason", { cascade: [{ use: "variant", variant: "int8", when: [] }] }, /when/],
  ];
  for (const [name, serving, words] of broken)
    test(`not ${name}`, () => assert.throws(() => check(serving), refuses(words)));
});
