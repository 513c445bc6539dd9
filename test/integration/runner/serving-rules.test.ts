import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { BenchBox, GOLDEN } from "./bench-box.ts";
import { classify, infer, type Reply, type Target } from "./client.ts";
import { classifier, slowClassifier } from "./models.ts";

let box: BenchBox;
let target: Target;

const scores = { name: "scores", datatype: "FP32", shape: [1, 4], data: [0.25, 0.25, 0.25, 0.25] };

before(async () => {
  box = await BenchBox.create({ settings: { queueLimit: 40 } });
  const fast = await box.model("large", classifier(), GOLDEN.classifier, { variant: "cpu-small" });
  await box.serve([
    await box.model("classifier", classifier(), GOLDEN.classifier),
    await box.model("large", slowClassifier(120), GOLDEN.classifier, {
      alternatives: [fast],
      serving: {
        cascade: [
          { use: "variant", variant: "cpu-small", when: ["deadline"] },
          { use: "default", outputs: [scores], when: ["deadline"] },
        ],
      },
    }),
    await box.model("slow", slowClassifier(40), GOLDEN.classifier),
  ]);
  target = { url: box.url };
});

after(() => box.close());

beforeEach(() => {
  box.results.length = 0;
  box.inference.takeCounters();
});

const ask = (model: string, parameters: object, row = [0, 1, 2, 3]): Promise<Reply> =>
  infer(target, model, { inputs: [{ name: "x", datatype: "FP32", shape: [1, 4], data: row }], parameters });

describe("over HTTP", () => {
  test("many requests at a time get their own answers", async () => {
    const rows = Array.from({ length: 30 }, (_, index) => [index % 5, index % 3, index % 7, 1]);
    const replies = await Promise.all(rows.map((row) => classify(target, row)));
    for (const [index, { status, json }] of replies.entries()) {
      assert.equal(status, 200);
      const row = rows[index]!;
      assert.equal(
        json.outputs[0].data.indexOf(Math.max(...json.outputs[0].data)),
        row.indexOf(Math.max(...row)),
      );
    }
  });

  test("a timeout that cannot be kept is refused with the time to wait, and counted", async () => {
    const { status, headers, json } = await ask("slow", { timeout: 1000 });
    assert.deepEqual([status, json.code, headers["retry-after"]], [503, "inference.overloaded", "1"]);
    await ask("slow", { muster_durable: true });
    assert.equal(box.inference.takeCounters()[0]!.refused, 1);
  });

  test("a lower rung answers where there is one; the answer, the result and the counters say so", async () => {
    const { status, json } = await ask("large", { timeout: 100_000, muster_durable: true, priority: 1 });
    assert.equal(status, 200);
    assert.deepEqual(json.parameters, {
      muster_durable: true,
      muster_rung: "variant",
      muster_reason: "deadline",
    });
    assert.equal(json.outputs[0].data.indexOf(Math.max(...json.outputs[0].data)), 3);
    const [{ body }] = box.results as [(typeof box.results)[0]];
    assert.deepEqual(
      [body.variant, body.degraded, body.tier],
      ["cpu-small", { rung: "variant", reason: "deadline" }, "critical"],
    );
    assert.equal(box.inference.takeCounters()[0]!.degraded, 1);
    const hopeless = await ask("large", { timeout: 1 });
    assert.deepEqual(hopeless.json.parameters, { muster_rung: "default", muster_reason: "deadline" });
    assert.deepEqual(hopeless.json.outputs[0].data, scores.data);
  });
});
