import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { detectRuntime } from "@muster/agent/inference/detect-runtime";
import type { ErrorCode } from "@muster/shared/errors";
import { isMusterError } from "@muster/shared/errors";
import { BenchBox, GOLDEN, isRunning, until } from "./bench-box.ts";
import { classify } from "./client.ts";
import { classifier, slow } from "./models.ts";

let box: BenchBox;

before(async () => {
  box = await BenchBox.create();
  await box.serve([await box.model("classifier", classifier(), GOLDEN.classifier)]);
});

after(() => box.close());

const code = (expected: ErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(isMusterError(error, expected), String(error));
  assert.match(error.message, message);
  return true;
};

describe("what does not prove itself is refused and leaves the old release serving", () => {
  const refuse = (
    what: string,
    make: () => ReturnType<BenchBox["model"]>,
    expected: ErrorCode,
    message: RegExp,
  ) =>
    test(what, async () => {
      await assert.rejects(
        async () => box.inference.prepare(box.deployment([await make()])),
        code(expected, message),
      );
      assert.equal((await classify({ url: box.url }, [1, 0, 0, 0])).status, 200);
      assert.equal(box.inference.status().restarts, 0);
    });

  refuse(
    "another model under the right golden set",
    () => box.model("classifier", classifier(0.5), GOLDEN.classifier),
    "model.golden-mismatch",
    /1 of 2 golden cases agree; 100 % are needed/,
  );
  refuse(
    "a flipped bit",
    async () => {
      const model = await box.model("classifier", classifier(), GOLDEN.classifier);
      const bytes = classifier();
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(model.modelPath, bytes);
      return model;
    },
    "artifact.corrupted",
    /has digest sha256:[0-9a-f]{64}; signed is sha256:/,
  );
  refuse(
    "a missing file",
    async () => ({
      ...(await box.model("classifier", classifier(), GOLDEN.classifier)),
      modelPath: "/nowhere.onnx",
    }),
    "artifact.corrupted",
    /cannot be read/,
  );
  refuse(
    "a file that is no model though it was signed",
    () => box.model("classifier", Buffer.from("no model"), GOLDEN.classifier),
    "model.load-failed",
    /cannot be loaded on cpu/,
  );
  refuse(
    "an empty file",
    () => box.model("classifier", new Uint8Array(0), GOLDEN.classifier),
    "model.load-failed",
    /cannot be loaded on cpu/,
  );
  refuse(
    "a provider that is not here, with no fallback to the CPU",
    () => box.model("classifier", classifier(), GOLDEN.classifier, { provider: "cuda" }),
    "model.load-failed",
    /cannot be loaded on cuda/,
  );
  refuse(
    "a provider that nobody knows",
    () => box.model("classifier", classifier(), GOLDEN.classifier, { provider: "warp-drive" }),
    "model.load-failed",
    /cannot be loaded on warp-drive/,
  );
  const goldens: [string, string][] = [
    ["no JSON", "{"],
    ["another schema", '{"schema":"muster.golden/2"}'],
    [
      "no cases",
      '{"schema":"muster.golden/1","tolerance":{"absolute":0,"relative":0},"minAgreement":0,"cases":[]}',
    ],
    ["null", "null"],
  ];
  for (const [what, golden] of goldens)
    refuse(
      `a golden set that is ${what}`,
      () => box.model("classifier", classifier(), [], { golden }),
      "model.golden-mismatch",
      /golden/,
    );
  const [first] = GOLDEN.classifier;
  refuse(
    "a golden set for another input",
    () =>
      box.model("classifier", classifier(), [{ ...first!, inputs: [{ ...first!.inputs[0]!, name: "y" }] }]),
    "model.golden-mismatch",
    /input 'x' is missing/,
  );
  refuse(
    "a golden set for another output",
    () =>
      box.model("classifier", classifier(), [{ ...first!, outputs: [{ ...first!.outputs[0]!, name: "y" }] }]),
    "model.golden-mismatch",
    /no output 'y'/,
  );

  test("two models of one name", async () => {
    const model = await box.model("classifier", classifier(), GOLDEN.classifier);
    const deployment = box.deployment([model, model]);
    await assert.rejects(box.inference.prepare(deployment), code("model.load-failed", /two models/));
  });
});

test("a share of golden cases may disagree when the set says so", async () => {
  const model = await box.model("classifier", classifier(0.5), GOLDEN.classifier, { minAgreement: 0.5 });
  await box.inference.discard(await box.inference.prepare(box.deployment([model])));
});

test("a golden set that takes too long ends the candidate", async () => {
  const impatient = await BenchBox.create({ settings: { goldenSeconds: 0.3 } });
  try {
    const model = await impatient.model("slow", slow(400), GOLDEN.slow);
    await assert.rejects(
      impatient.inference.prepare(impatient.deployment([model])),
      code("runner.hung", /golden/),
    );
  } finally {
    await impatient.close();
  }
});

test("what was discarded or served cannot be served", async () => {
  const prepared = await box.inference.prepare(
    box.deployment([await box.model("classifier", classifier(), GOLDEN.classifier)]),
  );
  await box.inference.discard(prepared);
  await box.inference.discard(prepared);
  await assert.rejects(box.inference.serve(prepared), code("request.conflict", /prepare it again/));
});

test("stop ends a preparation under way and refuses later ones", async () => {
  const other = await BenchBox.create();
  const deployment = other.deployment([await other.model("classifier", classifier(), GOLDEN.classifier)]);
  const preparing = other.inference.prepare(deployment);
  const ended = assert.rejects(preparing, code("request.conflict", /stopped/));
  await other.inference.stop();
  await ended;
  await assert.rejects(other.inference.prepare(deployment), code("request.conflict", /stopped/));
  await other.close();
});

test("idle closes the endpoint and ends the runner", async () => {
  const { url } = box;
  const { pid } = box.inference.status();
  await box.inference.idle();
  assert.equal(box.inference.status().state, "idle");
  assert.equal(box.inference.status().release, null);
  await assert.rejects(classify({ url }, [1, 0, 0, 0]), { code: "ECONNREFUSED" });
  await until(() => !isRunning(pid!), "the runner is gone");
  await box.inference.idle();
});

test("the CPU is among the providers that work here, and comes last", async () => {
  const { providers } = await detectRuntime({});
  assert.equal(providers.at(-1), "cpu");
});
